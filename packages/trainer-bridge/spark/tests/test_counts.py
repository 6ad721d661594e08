import math

import numpy as np

from attune_spark.counts import FIXED_POINT, count_baskets, count_items, count_pairs, newest_visits, visit_weight


def test_pairs_of_a_b_a_c_by_hand():
    # a→b 1, a→a 1/2, a→c 1/3 + 1; b→a 1, b→c 1/2; distances as 2520/d, twice that as the weight is 2
    counted = count_pairs(np.array([0, 1, 0, 2]), np.array([4]), np.array([2.0]))
    found = {(int(s), int(t)): (int(u), w / FIXED_POINT) for s, t, u, w in zip(*counted, strict=True)}
    expected = {
        (0, 0): (1260, 1.0),
        (0, 1): (2520, 2.0),
        (0, 2): (840 + 2520, 2 / 3 + 2),
        (1, 0): (2520, 2.0),
        (1, 2): (1260, 1.0),
    }
    assert found.keys() == expected.keys()
    for pair, (units, weight) in expected.items():
        assert found[pair][0] == units
        assert math.isclose(found[pair][1], weight, rel_tol=1e-11)


def test_pairs_never_join_two_visits_and_reach_ten_apart_not_eleven():
    counted = count_pairs(np.arange(24), np.array([12, 12]), np.ones(2))
    found = set(zip(counted.source.tolist(), counted.target.tolist(), strict=True))
    assert (0, 10) in found
    assert (0, 11) not in found
    assert (11, 12) not in found
    assert len(found) == 2 * (11 + 10 + 9 + 8 + 7 + 6 + 5 + 4 + 3 + 2)


def test_baskets_of_two_visits_by_hand():
    # a b a c(clicked) | a c b d(clicked), weights 0.5 and 1: a+b in both, c with either in the second
    rows = np.array([0, 1, 0, 2, 0, 2, 1, 3])
    kinds = np.array([2, 3, 3, 0, 2, 2, 2, 0])
    counted = count_baskets(rows, kinds, np.array([4, 4]), np.array([0.5, 1.0]))
    found = {(int(s), int(t)): w / FIXED_POINT for s, t, w in zip(*counted, strict=True)}
    one_way = {(0, 1): 1.5, (0, 2): 1.0, (1, 2): 1.0}
    assert found == one_way | {(target, source): weight for (source, target), weight in one_way.items()}


def test_no_basket_no_pair_and_of_60_items_the_first_50_count():
    none = count_baskets(np.array([0, 1]), np.array([2, 0]), np.array([2]), np.ones(1))
    assert [len(part) for part in none] == [0, 0, 0]
    many = count_baskets(np.arange(60), np.full(60, 3), np.array([60]), np.ones(1))
    assert len(many.source) == 50 * 49
    assert many.target.max() == 49


def test_one_chunk_or_many_give_the_same_sums_to_the_bit():
    random = np.random.default_rng(1)
    lengths = random.integers(1, 20, 200)
    rows = random.integers(0, 30, lengths.sum())
    weights = visit_weight(np.arange(200), 200)
    whole = {(s, t): (u, w) for s, t, u, w in zip(*(part.tolist() for part in count_pairs(rows, lengths, weights)), strict=True)}
    sums: dict[tuple[int, int], tuple[int, int]] = {}
    ends = np.cumsum(lengths)
    for visit in random.permutation(200):
        part = rows[ends[visit] - lengths[visit] : ends[visit]]
        for s, t, u, w in zip(*(one.tolist() for one in count_pairs(part, lengths[[visit]], weights[[visit]])), strict=True):
            units, weight = sums.get((s, t), (0, 0))
            sums[s, t] = (units + u, weight + w)
    assert sums == whole


def test_the_oldest_visit_weighs_1_over_e_and_the_newest_1():
    weights = visit_weight(np.array([-1, 9]), 10)
    assert math.isclose(weights[0], math.exp(-1))
    assert weights[1] == 1


def test_a_tenth_of_the_visits_is_the_trend():
    assert newest_visits(397) == 397 - 40
    row, count, popularity, trend = count_items(
        np.array([3, 3, 5]), np.array([2, 1]), np.array([0.5, 1.0]), np.array([False, True])
    )
    assert row.tolist() == [3, 5]
    assert count.tolist() == [2, 1]
    assert (popularity / FIXED_POINT).tolist() == [1.0, 1.0]
    assert (trend / FIXED_POINT).tolist() == [0.0, 1.0]
