"""Command lines of the three programs, as the bridge and the deploy files write them."""

import pytest

from attune_spark.arguments import JobError
from attune_spark.options import ExportOptions, PrepareOptions, TrainOptions, parse

TRAIN = ["--input", "/data", "--output", "/model"]


def test_what_the_bridge_gives_to_train_becomes_typed_and_the_rest_has_its_default():
    options = parse(TrainOptions, [*TRAIN, "--processes", "4", "--peak-rate", "2e-3", "--gpu"], None)
    assert options == TrainOptions(input="/data", output="/model", processes=4, peak_rate=2e-3, gpu=True)
    assert (options.batch, options.negatives, options.history_length, options.local_mode) == (1_024, 2_048, 16, False)


def test_an_epoch_is_a_number_where_it_is_given_and_none_where_not():
    given = ["--input", "/data", "--model", "/model", "--output", "/artifact"]
    assert parse(ExportOptions, given, None).epoch is None
    assert parse(ExportOptions, [*given, "--epoch", "7"], None).epoch == 7


def test_the_endpoint_comes_from_the_environment_unless_it_is_given(monkeypatch):
    monkeypatch.setenv("COSMOS_ENDPOINT", "https://of-the-environment")
    given = ["--source", "cosmosdb", "--output", "/data"]
    assert parse(PrepareOptions, given, None).endpoint == "https://of-the-environment"
    assert parse(PrepareOptions, [*given, "--endpoint", "https://given"], None).endpoint == "https://given"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "the following arguments are required: --input, --output"),
        ([*TRAIN, "--history-length", "17"], "--history-length: expected 1 to 16, received 17"),
        ([*TRAIN, "--processes", "0"], "--processes: expected at least 1, received 0"),
        ([*TRAIN, "--seed", "one"], "argument --seed: invalid int value: 'one'"),
        ([*TRAIN, "--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_a_wrong_option_is_named_with_what_was_expected(wrong, said):
    with pytest.raises(JobError, match="OPTION_INVALID") as error:
        parse(TrainOptions, wrong, None)
    assert said in str(error.value)
