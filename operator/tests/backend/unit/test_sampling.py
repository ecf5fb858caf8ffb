from __future__ import annotations

import pytest

from qwen_triton.refusals import BadRequest
from qwen_triton.sampling import KINDS, sampling_arguments

NEW = {*KINDS, "structured_outputs"}
OLD = {*KINDS, "guided_decoding"}


def refusal(**given: object) -> str:
    with pytest.raises(BadRequest) as refused:
        sampling_arguments(given, NEW, {})
    return str(refused.value)


def test_values_given_as_text_become_what_they_mean() -> None:
    given = {"temperature": "0.5", "max_tokens": "12", "ignore_eos": "True", "top_k": 5.0}
    assert sampling_arguments(given, NEW, {}) == {
        "temperature": 0.5,
        "max_tokens": 12,
        "ignore_eos": True,
        "top_k": 5,
    }


def test_a_seed_beyond_a_floats_precision_is_kept() -> None:
    assert sampling_arguments({"seed": str(2**60 + 1)}, NEW, {}) == {"seed": 2**60 + 1}


def test_the_clients_values_win_over_the_models() -> None:
    defaults = {"temperature": 0.9, "top_k": 50}
    assert sampling_arguments({"top_k": 1}, NEW, defaults) == {"temperature": 0.9, "top_k": 1}


def test_null_means_not_given() -> None:
    assert sampling_arguments({"top_k": None}, NEW, {"top_k": 50}) == {"top_k": 50}


def test_one_stop_text_is_a_list_of_one() -> None:
    assert sampling_arguments({"stop": "."}, NEW, {}) == {"stop": ["."]}


def test_token_ids_of_a_bias_are_numbers_again() -> None:
    assert sampling_arguments({"logit_bias": {"5": "-200"}}, NEW, {}) == {"logit_bias": {5: -100.0}}


def test_both_names_of_structured_output_are_understood_by_every_version() -> None:
    choice = {"choice": ["yes", "no"]}
    assert sampling_arguments({"guided_decoding": choice}, NEW, {}) == {
        "structured_outputs": choice
    }
    assert sampling_arguments({"structured_outputs": choice}, OLD, {}) == {
        "guided_decoding": choice
    }


def test_an_unknown_field_is_named_with_the_nearest_known_one() -> None:
    assert refusal(temprature=1) == (
        "sampling_parameters: 'temprature' is unknown; did you mean 'temperature'?"
    )


def test_a_field_like_no_other_is_answered_with_all_that_are_known() -> None:
    assert "known are allowed_token_ids, bad_words" in refusal(zzz=1)


def test_a_field_that_this_vllm_has_not_is_unknown() -> None:
    with pytest.raises(BadRequest, match="'min_p' is unknown"):
        sampling_arguments({"min_p": 0.1}, NEW - {"min_p"}, {})


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("max_tokens", "many", "an integer"),
        ("max_tokens", 1.5, "an integer"),
        ("max_tokens", True, "an integer"),
        ("temperature", "hot", "a number"),
        ("temperature", [], "a number"),
        ("temperature", "nan", "a number"),
        ("ignore_eos", 1, "true or false"),
        ("ignore_eos", "yes", "true or false"),
        ("stop", [1], "text or a list of texts"),
        ("stop_token_ids", 7, "a list of integers"),
        ("stop_token_ids", ["x"], "a list of integers"),
        ("logit_bias", {"a": 1}, "an object of token id to number"),
        ("logit_bias", [], "an object of token id to number"),
        ("seed", 2**70, "an integer"),
        ("max_tokens", "1e400", "an integer"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(field: str, value: object, wanted: str) -> None:
    assert refusal(**{field: value}) == (
        f"sampling_parameters: {field!r} must be {wanted}, not {value!r}"
    )


def test_an_integer_may_be_written_as_a_float_is() -> None:
    assert sampling_arguments({"max_tokens": "1e3", "n": "2"}, NEW, {}) == {
        "max_tokens": 1000,
        "n": 2,
    }


def test_what_vllm_no_longer_has_is_told_with_what_to_do_instead() -> None:
    assert refusal(best_of="4") == (
        "sampling_parameters: 'best_of' is no longer in vLLM; ask for n answers with"
        " return_cumulative_logprob and keep the likeliest"
    )
    assert "beam search" in refusal(early_stopping=[True])


def test_what_vllm_no_longer_has_may_be_said_when_it_asks_for_nothing() -> None:
    nothing = {"best_of": "1", "use_beam_search": "False", "early_stopping": False}
    assert sampling_arguments({**nothing, "length_penalty": None}, NEW, {}) == {}


@pytest.mark.parametrize("answers", [0, -1, 129, 10**9])
def test_the_number_of_answers_has_bounds(answers: int) -> None:
    assert refusal(n=answers).startswith("sampling_parameters: 'n' must be from 1 to 128")


@pytest.mark.parametrize(
    "given",
    [{"stop_token_ids": [50]}, {"allowed_token_ids": [-1]}, {"logit_bias": {"50": 1}}],
)
def test_a_token_that_the_model_does_not_know_is_named(given: dict[str, object]) -> None:
    with pytest.raises(BadRequest, match="the model knows those from 0 to 49"):
        sampling_arguments(given, NEW, {}, vocabulary=50)


def test_a_huge_wrong_value_is_not_repeated_in_full() -> None:
    assert len(refusal(max_tokens="9" * 100_000 + "x")) < 400
