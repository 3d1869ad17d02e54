"""Errors form one tree; each class has its code and exit code."""

from drystone.core import errors


def _tree(kind: type[errors.DrystoneError]) -> list[type[errors.DrystoneError]]:
    return [
        kind,
        *(leaf for sub in kind.__subclasses__() for leaf in _tree(sub) if leaf.__module__ == errors.__name__),
    ]


def test_every_class_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in _tree(errors.DrystoneError)]
    assert len(codes) == len(set(codes))


def test_exit_codes_are_those_of_the_contract() -> None:
    assert {kind.__name__: kind.exit for kind in _tree(errors.DrystoneError)[1:]} == {
        "WorkFailed": 1,
        "UsageError": 2,
        "ProjectInvalid": 3,
        "NotARepository": 3,
        "Corrupt": 3,
        "NotFound": 4,
        "Ambiguous": 4,
        "Conflict": 5,
        "RemoteUnavailable": 6,
    }


def test_an_error_as_json_tells_all_it_knows() -> None:
    error = errors.Conflict(
        "two steps write `x`",
        details=["a  12 bytes"],
        at="steps/a.sh",
        because=["b writes it too"],
        hints=["rename one"],
    )
    assert error.as_dict() == {
        "code": "conflict",
        "message": "two steps write `x`",
        "details": ["a  12 bytes"],
        "at": ["steps/a.sh"],
        "because": ["b writes it too"],
        "hints": ["rename one"],
        "exit": 5,
    }
