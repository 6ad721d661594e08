"""Visits by hand, by the rules of docs/wire-protocol.md and packages/core/src/event/history.ts."""

from attune_spark.history import Event, VisitorReplay, to_history

MINUTE = 60_000


def click(number: int, item: str, at: int, kind: str = "click") -> Event:
    return Event(f"e{number}", kind, item, at)


def visits(batches):
    replay = VisitorReplay()
    told = [visit for batch_id, received, events in batches for visit in replay.apply(batch_id, received, iter(events))]
    return [visit.items for visit in [*told, *replay.end()]]


def test_a_view_after_a_click_on_the_same_item_is_one_step_and_two_clicks_are_two():
    steps = to_history([click(1, "a", 1), click(2, "a", 2, "view"), click(3, "b", 3), click(4, "b", 4)])
    assert [(step.item, step.kind) for step in steps] == [("a", "click"), ("b", "click"), ("b", "click")]


def test_a_purchase_after_a_click_on_the_same_item_is_the_step():
    [step] = to_history([click(1, "a", 1), click(2, "a", 5, "purchase")])
    assert (step.kind, step.at) == ("purchase", 5)


def test_impressions_searches_and_dislikes_are_no_steps_and_named_events_are_custom():
    kinds = ["impression", "dislike", "search", "custom:zoom"]
    steps = to_history([click(index, f"i{index}", index, kind) for index, kind in enumerate(kinds)])
    assert [(step.item, step.kind) for step in steps] == [("i3", "custom")]


def test_a_gap_of_thirty_minutes_ends_a_visit_and_one_millisecond_less_does_not():
    first = [click(1, "a", 0), click(2, "b", 30 * MINUTE - 1), click(3, "c", 60 * MINUTE - 1)]
    assert visits([("b1", 60 * MINUTE, first)]) == [["a", "b"], ["c"]]


def test_a_batch_or_an_event_told_twice_counts_once():
    events = [click(1, "a", 1), click(2, "b", 2)]
    told = [("b1", 10, events), ("b1", 10, events), ("b2", 20, [events[1], click(3, "c", 15)])]
    assert visits(told) == [["a", "b", "c"]]


def test_a_late_event_is_put_in_its_place():
    told = [("b1", 10_000, [click(1, "a", 1_000), click(3, "c", 3_000)]), ("b2", 20_000, [click(2, "b", 2_000)])]
    assert visits(told) == [["a", "b", "c"]]


def test_after_an_hour_without_a_batch_late_events_start_a_visit_of_their_own():
    told = [("b1", 0, [click(1, "a", 0)]), ("b2", 61 * MINUTE, [click(2, "b", 1_000)])]
    assert visits(told) == [["a"], ["b"]]


def test_a_clock_ahead_of_the_edge_counts_as_the_edge_s_time():
    told = [("b1", 5_000, [click(1, "a", 1_000), click(2, "b", 10**12)]), ("b2", 9_000, [click(3, "c", 8_000)])]
    assert visits(told) == [["a", "b", "c"]]


def test_a_visitor_with_600_clicks_a_minute_apart_is_one_visit_in_order():
    events = [click(1_000 + number, f"i{number}", number * MINUTE) for number in range(600)]
    told = [(f"b{number}", number * MINUTE, [event]) for number, event in enumerate(events)]
    assert visits(told) == [[f"i{number}" for number in range(600)]]
