from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from drystone.core.errors import ProjectInvalid, UsageError, WorkFailed
from drystone.core.signature import Field
from drystone.registry.modeldir import load, read_manifest, save_model
from drystone.registry.skops_model import is_trusted

from .registry_world import Trained, flights, pipeline


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {name: frame[name].to_numpy() for name in frame.columns}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Path:
    path = tmp_path_factory.mktemp("pristine") / "late-arrival"
    save_model(path, trained.estimator, inputs=trained.inputs, label=trained.label)
    return path


@pytest.fixture
def saved(tmp_path: Path, pristine: Path) -> Path:
    """A model directory that a test may spoil."""
    return shutil.copytree(pristine, tmp_path / "late-arrival")


@pytest.fixture(scope="module")
def categorical() -> Trained:
    """skl2onnx converts this one without complaint into something else."""
    inputs, label = flights()
    boosting = HistGradientBoostingClassifier(categorical_features=[0], max_iter=10, random_state=0)
    return Trained(pipeline(boosting).fit(inputs, label), inputs, label)


# -- what is saved -------------------------------------------------------------------------------


def test_the_signature_is_the_frame_and_the_label(saved: Path) -> None:
    signature = load(saved).signature
    assert signature.inputs == (
        Field("carrier", "string"),
        Field("hour", "int64"),
        Field("delay", "float64"),
        Field("wind", "float64", nullable=True),
    )
    assert signature.outputs == (Field("late", "bool"), Field("probability", "float32"))


def test_onnx_answers_as_scikit_learn_does_with_strings_and_missing_values(
    saved: Path, trained: Trained
) -> None:
    fresh, _ = flights(seed=1)
    outputs = load(saved).predict(_columns(fresh))
    assert read_manifest(saved).loader == "onnx"
    expected = trained.estimator.predict_proba(fresh)[:, 1]
    assert np.abs(outputs["probability"] - expected).max() < 1e-5
    assert (outputs["late"] == trained.estimator.predict(fresh)).all()


def test_a_category_never_seen_answers_as_scikit_learn_does(saved: Path, trained: Trained) -> None:
    fresh, _ = flights(rows=50, seed=2)
    fresh["carrier"] = "ZZ"
    outputs = load(saved).predict(_columns(fresh))
    assert np.abs(outputs["probability"] - trained.estimator.predict_proba(fresh)[:, 1]).max() < 1e-5


def test_an_onnx_file_works_without_drystone(saved: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(saved / "model.onnx")
    assert [tensor.name for tensor in session.get_inputs()] == ["carrier", "hour", "delay", "wind"]
    assert [tensor.name for tensor in session.get_outputs()] == ["late", "probability"]


def test_a_conversion_that_is_wrong_is_noticed_and_skops_is_written(
    tmp_path: Path, categorical: Trained
) -> None:
    manifest = save_model(
        tmp_path / "m", categorical.estimator, inputs=categorical.inputs, label=categorical.label
    )
    assert manifest.loader == "skops"
    assert manifest.note is not None
    assert manifest.note.startswith("no ONNX: it differs from the estimator")
    outputs = load(tmp_path / "m").predict(_columns(categorical.inputs))
    expected = categorical.estimator.predict_proba(categorical.inputs)[:, 1]
    np.testing.assert_array_equal(outputs["probability"], expected)
    assert not (tmp_path / "m" / "model.onnx").exists()


def test_an_encoder_that_refuses_new_categories_goes_on_refusing_them(tmp_path: Path) -> None:
    inputs, label = flights()
    columns = ColumnTransformer([("carrier", OrdinalEncoder(), ["carrier"])], remainder="passthrough")
    boosting = HistGradientBoostingClassifier(max_iter=3, random_state=0)
    manifest = save_model(tmp_path / "m", make_pipeline(columns, boosting).fit(inputs, label), inputs=inputs)
    assert manifest.loader == "skops"
    with pytest.raises(WorkFailed, match="cannot answer these inputs"):
        load(tmp_path / "m").predict(_columns(inputs.assign(carrier="ZZ")))


def test_a_regressor_gives_one_value(tmp_path: Path) -> None:
    inputs, _ = flights()
    target = (inputs.delay * 2).rename("minutes")
    estimator = pipeline(HistGradientBoostingRegressor(max_iter=10, random_state=0)).fit(inputs, target)
    manifest = save_model(tmp_path / "m", estimator, inputs=inputs, label=target)
    assert manifest.signature.outputs == (Field("minutes", "float32"),)
    outputs = load(tmp_path / "m").predict(_columns(inputs))
    np.testing.assert_allclose(outputs["minutes"], estimator.predict(inputs), rtol=1e-4, atol=1e-4)


def test_more_than_two_classes_give_a_vector_of_probabilities(tmp_path: Path) -> None:
    inputs, _ = flights()
    label = pd.Series(np.array(["early", "late", "noon"])[inputs.hour % 3], name="when")
    columns = ColumnTransformer(
        [
            ("carrier", OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
            ("rest", make_pipeline(SimpleImputer(), StandardScaler()), ["hour", "delay", "wind"]),
        ]
    )
    estimator = make_pipeline(columns, LogisticRegression()).fit(inputs, label)
    manifest = save_model(tmp_path / "m", estimator, inputs=inputs, label=label)
    assert manifest.signature.outputs == (
        Field("when", "string"),
        Field("probabilities", "float32", shape=(3,)),
    )
    assert manifest.classes == ("early", "late", "noon")
    outputs = load(tmp_path / "m").predict(_columns(inputs))
    np.testing.assert_allclose(outputs["probabilities"], estimator.predict_proba(inputs), atol=1e-5)
    assert outputs["when"].tolist() == estimator.predict(inputs).tolist()


def test_a_frame_of_another_library_is_taken(tmp_path: Path) -> None:
    inputs, label = flights(500)
    numbers = inputs[["hour", "delay"]]
    table = pa.Table.from_pandas(numbers)
    estimator = HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(table, label)
    manifest = save_model(tmp_path / "m", estimator, inputs=table, label=label)
    assert [field.name for field in manifest.signature.inputs] == ["hour", "delay"]


def test_an_estimator_on_a_bare_frame_becomes_onnx_too(tmp_path: Path) -> None:
    inputs, label = flights(500)
    numbers = inputs[["hour", "delay", "wind"]]
    estimator = HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(numbers, label)
    assert save_model(tmp_path / "m", estimator, inputs=numbers, label=label).loader == "onnx"


def test_integers_with_missing_values_are_float_inputs(tmp_path: Path) -> None:
    inputs, label = flights(500)
    numbers = inputs[["hour", "delay"]].astype({"hour": "Int64"})
    numbers.loc[0, "hour"] = None
    estimator = HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(numbers, label)
    manifest = save_model(tmp_path / "m", estimator, inputs=numbers, label=label)
    assert manifest.signature.inputs[0] == Field("hour", "float64", nullable=True)


def test_names_of_outputs_can_be_chosen(tmp_path: Path, trained: Trained) -> None:
    manifest = save_model(
        tmp_path / "m", trained.estimator, inputs=trained.inputs, outputs=("is_late", "chance")
    )
    assert [field.name for field in manifest.signature.outputs] == ["is_late", "chance"]


def test_the_example_is_two_rows_and_its_outputs_are_golden(saved: Path) -> None:
    example = json.loads((saved / "example.json").read_bytes())["inputs"]
    golden = read_manifest(saved).golden
    assert {len(values) for values in example.values()} == {2}
    assert golden is not None
    assert {len(values) for values in golden.values()} == {2}


def test_the_reference_sample_has_inputs_the_models_outputs_and_labels(saved: Path, trained: Trained) -> None:
    table = pq.read_table(saved / "reference.parquet")
    assert table.column_names == ["carrier", "hour", "delay", "wind", "late", "probability", "label"]
    assert table["label"].to_pylist() == trained.label.tolist()
    assert table["wind"].null_count == trained.inputs.wind.isna().sum()
    outputs = load(saved).predict(_columns(trained.inputs))
    np.testing.assert_array_equal(table["probability"].to_numpy(), outputs["probability"])


def test_a_large_reference_is_sampled_in_order(tmp_path: Path, trained: Trained) -> None:
    inputs, _ = flights(25_000)
    save_model(
        tmp_path / "m", trained.estimator, inputs=inputs, label=np.arange(25_000), outputs=("late", "p")
    )
    table = pq.read_table(tmp_path / "m" / "reference.parquet")
    rows = table["label"].to_numpy()
    assert len(rows) == 20_000
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(table["delay"].to_numpy(), inputs.delay.to_numpy()[rows])


def test_the_same_training_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    # One thread: how a sum is shared among several is not the same from one run to the next.
    for name, seed in (("here", "1"), ("there", "7")):
        environ = {
            "OMP_NUM_THREADS": "1",
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        command = [sys.executable, "-m", "registry.registry_world", str(tmp_path / name)]
        subprocess.run(command, env=environ, check=True)
    here, there = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (tmp_path / "here", tmp_path / "there")
    )
    assert here.keys() >= {Path("onnx/model.onnx"), Path("skops/model.skops")}
    assert here == there


def test_saving_again_replaces_the_whole_directory(saved: Path, trained: Trained) -> None:
    (saved / "leftover").write_text("x")
    save_model(saved, trained.estimator, inputs=trained.inputs)
    assert not (saved / "leftover").exists()
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


# -- what is refused -----------------------------------------------------------------------------


class Foreign(ClassifierMixin, BaseEstimator):
    """An estimator whose code is not scikit-learn's."""

    def fit(self, inputs: Any, label: Any) -> Foreign:
        self.classes_ = np.unique(label)
        return self

    def predict(self, inputs: Any) -> Any:
        return np.full(len(inputs), self.classes_[0])

    def predict_proba(self, inputs: Any) -> Any:
        return np.full((len(inputs), 2), 0.5)


def test_an_estimator_of_foreign_code_is_refused_and_the_old_model_stays(
    saved: Path, trained: Trained
) -> None:
    before = (saved / "model.json").read_bytes()
    with pytest.raises(UsageError, match="safely and faithfully") as raised:
        save_model(saved, Foreign().fit(None, trained.label), inputs=trained.inputs)
    assert "Foreign" in raised.value.because[1]
    assert (saved / "model.json").read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_function_of_the_users_own_in_a_pipeline_is_refused(tmp_path: Path) -> None:
    inputs, label = flights(500)
    numbers = inputs[["hour", "delay"]]
    estimator = make_pipeline(FunctionTransformer(textwrap.dedent), LogisticRegression())
    estimator[-1].fit(numbers, label)
    estimator[0].func = _double
    with pytest.raises(UsageError, match="safely and faithfully"):
        save_model(tmp_path / "m", estimator, inputs=numbers)


def _double(frame: Any) -> Any:
    return frame * 2


def test_a_date_is_no_input(tmp_path: Path, trained: Trained) -> None:
    frame = trained.inputs.assign(day=pd.Timestamp("2013-01-01"))
    with pytest.raises(UsageError, match="column `day`"):
        save_model(tmp_path / "m", trained.estimator, inputs=frame)


def test_what_is_no_dataframe_is_refused(tmp_path: Path, trained: Trained) -> None:
    with pytest.raises(UsageError, match=r"not a dataframe: `numpy\.ndarray`"):
        save_model(tmp_path / "m", trained.estimator, inputs=np.zeros((3, 4)))


@pytest.mark.parametrize("outputs", [("carrier", "p"), ("label", "p"), ("a", "a"), ("a", "b", "c"), ()])
def test_names_of_outputs_that_clash_are_refused(tmp_path: Path, trained: Trained, outputs: Any) -> None:
    with pytest.raises(UsageError):
        save_model(tmp_path / "m", trained.estimator, inputs=trained.inputs, outputs=outputs)


def test_a_reference_with_missing_values_that_the_inputs_have_not_is_refused(
    tmp_path: Path, trained: Trained
) -> None:
    reference = trained.inputs.astype({"hour": "Int64"})
    reference.loc[3, "hour"] = None
    with pytest.raises(UsageError, match="`hour` has missing values in the reference"):
        save_model(tmp_path / "m", trained.estimator, inputs=trained.inputs, reference=reference)


def test_labels_must_be_as_many_as_rows(tmp_path: Path, trained: Trained) -> None:
    with pytest.raises(UsageError, match="one value for each of"):
        save_model(tmp_path / "m", trained.estimator, inputs=trained.inputs, label=[1, 2])


# -- what is loaded ------------------------------------------------------------------------------


def test_a_directory_without_a_manifest_says_how_to_write_one(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(ProjectInvalid, match=r"has no `model.json`") as raised:
        load(tmp_path / "m")
    assert "ds.model(" in raised.value.hints[0]


def _changed(saved: Path, **changes: Any) -> None:
    manifest = json.loads((saved / "model.json").read_bytes())
    for key, value in changes.items():
        if value is None:
            del manifest[key]
        else:
            manifest[key] = value
    (saved / "model.json").write_text(json.dumps(manifest))


def test_a_manifest_without_a_signature_says_how_to_write_one(saved: Path) -> None:
    _changed(saved, signature=None)
    with pytest.raises(ProjectInvalid, match="has no signature") as raised:
        load(saved)
    assert "ds.model(" in raised.value.hints[0]


def _signature(**changes: Any) -> dict[str, Any]:
    field = {"name": "x", "dtype": "bool"}
    return {"inputs": [{**field, **changes}], "outputs": [{**field, "name": "y"}]}


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"loader": "pickle"},
        {"loader": "os.system"},
        {"file": "../secret"},
        {"file": "/etc/passwd"},
        {"file": "a/b"},
        {"file": ""},
        {"file": "model.onnx\n"},
        {"file": "absent.onnx"},
        {"file": ["model.onnx"]},
        {"example": "../example.json"},
        {"signature": {"inputs": [], "outputs": []}},
        {
            "signature": {
                "inputs": [{"name": "x", "dtype": "date"}],
                "outputs": [{"name": "y", "dtype": "bool"}],
            }
        },
        {
            "signature": {
                "inputs": [{"name": "x", "dtype": "bool", "shape": [-1]}],
                "outputs": [{"name": "y", "dtype": "bool"}],
            }
        },
        {
            "signature": {
                "inputs": [{"name": "x", "dtype": "bool", "shape": [10**9, 10**9]}],
                "outputs": [{"name": "y", "dtype": "bool"}],
            }
        },
        {"golden": {"late": ["x", {}], "probability": [1, 2]}},
        {"unheard_of": 1},
    ],
)
def test_a_hostile_manifest_is_refused(saved: Path, change: dict[str, Any]) -> None:
    _changed(saved, **change)
    with pytest.raises(ProjectInvalid):
        load(saved)


def test_a_huge_manifest_is_not_read(saved: Path) -> None:
    with (saved / "model.json").open("ab") as file:
        file.write(b" " * (1 << 20))
    with pytest.raises(ProjectInvalid, match="too large"):
        load(saved)


def test_a_link_in_place_of_the_file_is_not_followed(saved: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.onnx"
    (saved / "model.onnx").rename(elsewhere)
    (saved / "model.onnx").symlink_to(elsewhere)
    with pytest.raises(ProjectInvalid, match=r"model.onnx"):
        load(saved)


@given(data=st.binary(max_size=200))
def test_no_bytes_as_a_manifest_do_harm(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("m")
    (path / "model.json").write_bytes(data)
    with pytest.raises(ProjectInvalid):
        read_manifest(path)


def test_a_bad_manifest_is_found_where_it_lies_in_the_project(tmp_path: Path) -> None:
    path = tmp_path / "models" / "teams" / "bad"
    path.mkdir(parents=True)
    (path / "model.json").write_text("{")
    with pytest.raises(ProjectInvalid) as raised:
        read_manifest(path)
    assert raised.value.at == ("models/teams/bad/model.json",)


def test_a_file_that_is_no_model_is_refused(saved: Path) -> None:
    (saved / "model.onnx").write_bytes(b"not onnx")
    with pytest.raises(ProjectInvalid, match="not a runnable ONNX file"):
        load(saved)


def test_another_models_file_does_not_replay(saved: Path, tmp_path: Path) -> None:
    inputs, label = flights(seed=5)
    other = pipeline(HistGradientBoostingClassifier(max_iter=2, random_state=0)).fit(inputs, label)
    save_model(tmp_path / "other", other, inputs=inputs, label=label)
    shutil.copy(tmp_path / "other" / "model.onnx", saved / "model.onnx")
    with pytest.raises(ProjectInvalid, match="does not give the outputs it was saved with"):
        load(saved)


def test_a_signature_that_is_not_the_files_is_refused(saved: Path) -> None:
    manifest = json.loads((saved / "model.json").read_bytes())
    del manifest["signature"]["inputs"][0]
    _changed(saved, signature=manifest["signature"])
    with pytest.raises(ProjectInvalid, match="not that of its file"):
        load(saved)


class _Exploding:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("/tmp/exploded"),))


def test_a_pickle_is_never_run(tmp_path: Path, categorical: Trained) -> None:
    path = tmp_path / "m"
    save_model(path, categorical.estimator, inputs=categorical.inputs)
    (path / "model.skops").write_bytes(pickle.dumps(_Exploding()))
    with pytest.raises(ProjectInvalid, match="cannot be loaded"):
        load(path)


def test_a_skops_file_with_foreign_types_is_refused(tmp_path: Path, categorical: Trained) -> None:
    path = tmp_path / "m"
    save_model(path, categorical.estimator, inputs=categorical.inputs)
    with zipfile.ZipFile(path / "model.skops") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["schema.json"] = parts["schema.json"].replace(
        b'"__class__": "TreePredictor", "__module__": "sklearn.ensemble._hist_gradient_boosting.predictor"',
        b'"__class__": "Popen", "__module__": "subprocess"',
    )
    with zipfile.ZipFile(path / "model.skops", "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    with pytest.raises(ProjectInvalid) as raised:
        load(path)
    assert "subprocess.Popen" in raised.value.because[0]


@pytest.mark.parametrize(
    ("name", "trusted"),
    [
        ("sklearn.linear_model._logistic.LogisticRegression", True),
        ("functools.partial", True),
        ("sklearn.nowhere.Thing", False),
        ("sklearn.utils._testing.assert_run_python_script_without_output", False),
        ("numpy.testing.rundocs", False),
        ("numpy.load", False),
        ("sklearnx.Thing", False),
        ("builtins.eval", False),
        ("os.system", False),
    ],
)
def test_only_classes_of_the_scientific_packages_are_trusted(name: str, trusted: bool) -> None:
    assert is_trusted(name) is trusted


# -- what is predicted ---------------------------------------------------------------------------


def test_a_missing_column_is_named(saved: Path, trained: Trained) -> None:
    columns = _columns(trained.inputs)
    del columns["hour"]
    with pytest.raises(UsageError, match="`hour`"):
        load(saved).predict(columns)


def test_a_column_of_another_type_is_named(saved: Path, trained: Trained) -> None:
    columns = _columns(trained.inputs)
    columns["hour"] = columns["hour"] + 0.5
    with pytest.raises(UsageError, match="`hour` is int64, not float64"):
        load(saved).predict(columns)


def test_columns_of_different_lengths_are_refused(saved: Path, trained: Trained) -> None:
    columns = _columns(trained.inputs)
    columns["hour"] = columns["hour"][:5]
    with pytest.raises(UsageError, match="different lengths"):
        load(saved).predict(columns)


def test_a_missing_string_is_refused_by_a_model_that_cannot_take_it(saved: Path, trained: Trained) -> None:
    columns = _columns(trained.inputs[:2])
    columns["carrier"] = [None, "UA"]
    with pytest.raises(UsageError, match="`carrier` has missing values"):
        load(saved).predict(columns)


def test_nan_among_strings_is_a_missing_string(tmp_path: Path, categorical: Trained) -> None:
    inputs = categorical.inputs.astype({"carrier": object})
    inputs.loc[0, "carrier"] = None
    estimator = clone(categorical.estimator).fit(inputs, categorical.label)
    manifest = save_model(tmp_path / "m", estimator, inputs=inputs, outputs=("late", "p"))
    assert manifest.signature.inputs[0] == Field("carrier", "string", nullable=True)
    columns = _columns(inputs)
    columns["carrier"] = [float("nan"), *inputs.carrier[1:]]
    outputs = load(tmp_path / "m").predict(columns)
    np.testing.assert_array_equal(outputs["p"], estimator.predict_proba(inputs)[:, 1])


def test_no_rows_give_no_rows(saved: Path, trained: Trained) -> None:
    outputs = load(saved).predict(_columns(trained.inputs[:0]))
    assert {name: len(values) for name, values in outputs.items()} == {"late": 0, "probability": 0}


def test_columns_that_are_no_input_are_not_looked_at(saved: Path, trained: Trained) -> None:
    outputs = load(saved).predict({**_columns(trained.inputs[:2]), "label": [1, 0]})
    assert list(outputs) == ["late", "probability"]
