"""Measures of stability against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from lib.evaluation import stability


def rows(values, first=10):
    """A loss recorded every 10 steps."""
    return pd.Series(values, pd.Index(range(first, first + 10 * len(values), 10), name="step"))


# 100 steps: the row at step 10 is warm-up
LOSS = rows([9.0, 1, 3, 1, 3, 1, 3, 1, 3, 2])


def test_relative_variance_by_hand():
    # 1 3 1 3 1 3 1 3 2: mean 2; seven differences of 2 and one of 1, (7 * 4 + 1) / 8 / 2 / 2^2
    assert stability.relative_variance(LOSS) == pytest.approx(29 / 64)


def test_relative_variance_is_the_variance_of_noise_and_blind_to_trend_and_scale():
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, 4000)
    flat = rows(2 + noise)
    assert stability.relative_variance(flat) == pytest.approx(0.01 / 4, rel=0.1)
    assert stability.relative_variance(7 * flat) == pytest.approx(
        stability.relative_variance(flat)
    )
    falling = rows(3 * np.exp(-np.arange(4000) / 800) + 2)
    assert stability.relative_variance(falling) < 1e-5


def test_largest_jump_by_hand():
    assert stability.largest_jump(LOSS) == 1  # from 1 to 3, over the mean of 2
    assert stability.largest_jump(rows([5.0, 4, 3, 2, 1, 1, 1, 1, 1, 1])) == 0


def test_the_start_and_empty_rows_do_not_count():
    assert stability.after_warm_up(LOSS).index[0] == 20
    sparse = rows([9.0, 1, np.nan, 3, 1, 3, 1, 3, 1, 3])
    assert len(stability.after_warm_up(sparse)) == 8
    with pytest.raises(ValueError, match="train for longer"):
        stability.relative_variance(rows([1.0]))


def test_steps_to_reach_by_hand():
    loss = rows([5.0, 4, 2, 3, 1])
    assert stability.steps_to_reach(loss, 4) == 20
    assert stability.steps_to_reach(loss, 2.5) == 30
    assert np.isnan(stability.steps_to_reach(loss, 0.5))


def test_the_end_is_the_last_tenth():
    loss = rows(np.arange(20.0))  # steps 10 to 200
    assert stability.MEASURES["end"](loss) == (18 + 19) / 2
    assert stability.MEASURES["mean"](loss) == 9.5


def test_table_by_hand():
    history = pd.DataFrame({"cycle": LOSS, "discriminator_gradient": LOSS + 4})
    calm = pd.DataFrame({"cycle": rows([4.0, 3, 2, 2, 2, 2, 2, 2, 2, 2]),
                         "discriminator_gradient": LOSS})
    found = stability.stability_table({"one": [history, history], "two": [calm]}, "cycle")
    # the lowest level that all reach is 2: at step 20 and at step 30
    assert found["steps to 2"].tolist() == [20, 30]
    assert found["largest jump"].tolist() == [1, 0]
    assert found["relative variance"]["two"] == pytest.approx(1 / 8 / 2 / (19 / 9) ** 2)
    assert found["gradient norm"].tolist() == [6, 2]
    assert found["runs"].tolist() == [2, 1]
