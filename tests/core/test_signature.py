"""A signature names every column once."""

import msgspec
import pytest

from drystone.core.signature import OPEN_INFERENCE, DataType, Field, Signature


def test_a_signature_survives_json() -> None:
    signature = Signature(
        (Field("distance", "float64", nullable=True), Field("v", "int64", shape=(3,))),
        (Field("late", "bool"),),
    )
    assert msgspec.json.decode(msgspec.json.encode(signature), type=Signature) == signature


@pytest.mark.parametrize("fields", [(), (Field("a", "bool"), Field("a", "int32"))])
def test_an_empty_or_doubled_side_is_refused(fields: tuple[Field, ...]) -> None:
    with pytest.raises(ValueError, match="input"):
        Signature(fields, (Field("y", "bool"),))


def test_every_type_has_a_name_in_the_open_inference_protocol() -> None:
    assert set(OPEN_INFERENCE) == set(DataType.__args__)
