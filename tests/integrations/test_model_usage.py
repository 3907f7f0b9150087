"""Wholes hold their parts, however an API counts; each case is worked out by hand."""

import pytest

from reamon.integrations.model_usage import whole_usage

TOLD: dict[str, tuple[dict[str, object], object, str | None, dict[str, int]]] = {
    "parts are in their wholes: nothing changes": (
        {"input_tokens": 100, "output_tokens": 50, "cached_input_tokens": 60, "reasoning_tokens": 20},
        150,
        "gpt-5",
        {"input_tokens": 100, "output_tokens": 50, "cached_input_tokens": 60, "reasoning_tokens": 20},
    ),
    "a part that is all of its whole is in it": (
        {"input_tokens": 60, "output_tokens": 20, "cached_input_tokens": 60, "reasoning_tokens": 20},
        80,
        None,
        {"input_tokens": 60, "output_tokens": 20, "cached_input_tokens": 60, "reasoning_tokens": 20},
    ),
    "xAI: 32 + 9 + 291 = 332": (
        {"input_tokens": 32, "output_tokens": 9, "reasoning_tokens": 291},
        332,
        "grok-4",
        {"input_tokens": 32, "output_tokens": 300, "reasoning_tokens": 291},
    ),
    "xAI, less reasoning than answer: 32 + 400 + 100 = 532": (
        {"input_tokens": 32, "output_tokens": 400, "reasoning_tokens": 100},
        532,
        "grok-4",
        {"input_tokens": 32, "output_tokens": 500, "reasoning_tokens": 100},
    ),
    "more reasoning than output, and no total": (
        {"output_tokens": 9, "reasoning_tokens": 291},
        None,
        None,
        {"output_tokens": 300, "reasoning_tokens": 291},
    ),
    "Bedrock's total has the cache, its input has not: 500 + 7 + 300 = 807": (
        {"input_tokens": 500, "output_tokens": 7, "cached_input_tokens": 200, "cache_write_tokens": 100},
        807,
        "claude-sonnet-4-5",
        {"input_tokens": 800, "output_tokens": 7, "cached_input_tokens": 200, "cache_write_tokens": 100},
    ),
    "more from the cache than input": (
        {"input_tokens": 3, "output_tokens": 7, "cached_input_tokens": 1000, "cache_write_tokens": 200},
        10,
        None,
        {"input_tokens": 1203, "output_tokens": 7, "cached_input_tokens": 1000, "cache_write_tokens": 200},
    ),
    "Gemini whose thoughts are in the total alone: 20 + 198 + 405 = 623": (
        {"input_tokens": 20, "output_tokens": 198},
        623,
        "models/gemini-2.5-flash",
        {"input_tokens": 20, "output_tokens": 603},
    ),
    "Gemini with 50 tokens of tools besides, many thoughts: 20 + 50 + 198 + 405 = 673": (
        {"input_tokens": 20, "output_tokens": 198, "reasoning_tokens": 405},
        673,
        "gemini-2.5-flash",
        {"input_tokens": 70, "output_tokens": 603, "reasoning_tokens": 405},
    ),
    "Gemini with 50 tokens of tools besides, few thoughts: 20 + 50 + 198 + 40 = 308": (
        {"input_tokens": 20, "output_tokens": 198, "reasoning_tokens": 40},
        308,
        "gemini-2.5-flash",
        {"input_tokens": 70, "output_tokens": 238, "reasoning_tokens": 40},
    ),
    "a total that nobody explains is left alone": (
        {"input_tokens": 20, "output_tokens": 7, "reasoning_tokens": 3},
        99,
        "acme-1",
        {"input_tokens": 20, "output_tokens": 7, "reasoning_tokens": 3},
    ),
    "a total that is too small is too": (
        {"input_tokens": 20, "output_tokens": 7},
        0,
        "gemini",
        {"input_tokens": 20, "output_tokens": 7},
    ),
    "Perplexity's research: 33 + 20016 read, 7163 + 73997 written": (
        {"input_tokens": 33, "output_tokens": 7163, "reasoning_tokens": 73997, "citation_tokens": 20016},
        7196,
        "sonar-deep-research",
        {"input_tokens": 20049, "output_tokens": 81160, "reasoning_tokens": 73997},
    ),
    "Perplexity's research, with little reasoning: 5 written beside 10": (
        {"input_tokens": 3, "output_tokens": 10, "reasoning_tokens": 5, "citation_tokens": 0},
        13,
        "sonar-deep-research",
        {"input_tokens": 3, "output_tokens": 15, "reasoning_tokens": 5},
    ),
    "zero is known, what is absent is not": (
        {"input_tokens": 0, "output_tokens": None, "cached_input_tokens": 0},
        0,
        None,
        {"input_tokens": 0, "cached_input_tokens": 0},
    ),
    "a whole number may come as a float": (
        {"input_tokens": 20.0, "output_tokens": 7},
        27.0,
        None,
        {"input_tokens": 20, "output_tokens": 7},
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_a_whole_holds_its_parts(case: str) -> None:
    counts, total, model, expected = TOLD[case]
    assert whole_usage(counts, total, model) == expected


@pytest.mark.parametrize("never", [-1, True, "7", "", 7.5, float("nan"), float("inf"), 1 << 70, [7], {}])
def test_what_is_no_number_of_tokens_is_left_out(never: object) -> None:
    assert whole_usage({"input_tokens": never, "output_tokens": 7}, never, "gemini") == {"output_tokens": 7}
