"""Checks with Microsoft's Python client. `python suite.py ENDPOINT KEY ADMIN` prints {"pass", "fail", "failures"}."""

import base64
import json
import sys
import time
import urllib.request
from datetime import datetime, timezone

from azure.core import MatchConditions
from azure.cosmos import CosmosClient, PartitionKey, ThroughputProperties, exceptions

ENDPOINT, KEY, ADMIN = sys.argv[1:4]
client = CosmosClient(ENDPOINT, credential=KEY)
db = client.create_database_if_not_exists("python")
checks = []
made = 0


def check(name):
    def add(run):
        checks.append((name, run))
        return run

    return add


def container(path="/pk", **options):
    global made
    made += 1
    key = PartitionKey(path=path, kind="MultiHash" if isinstance(path, list) else "Hash")
    return db.create_container(f"c{made}", key, **options)


def admin(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {} if body is None else {"content-type": "application/json"}
    request = urllib.request.Request(f"{ADMIN}/api/{path}", data=data, headers=headers, method=method)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def fails(status, work, substatus=None):
    try:
        work()
    except exceptions.CosmosHttpResponseError as error:
        assert error.status_code == status, (error.status_code, str(error)[:200])
        if substatus is not None:
            assert error.sub_status == substatus, error.sub_status
        return error
    raise AssertionError(f"expected {status}, nothing was raised")


def own(item):
    return {name: value for name, value in item.items() if not name.startswith("_")}


GOODS = [
    {"id": "1", "pk": "a", "name": "Pear", "n": 1, "tags": ["fruit", "green"]},
    {"id": "2", "pk": "a", "name": "Plum", "n": 2, "tags": ["fruit"]},
    {"id": "3", "pk": "a", "name": "Chair", "n": 10, "tags": []},
    {"id": "4", "pk": "b", "name": "Table", "n": 7, "tags": ["wood", "green"]},
    {"id": "5", "pk": "b", "name": "lamp", "n": 4.5, "tags": ["light"]},
    {"id": "6", "pk": "c", "name": "Rug", "n": 3},
    {"id": "7", "pk": "d", "name": "Cup", "n": 2, "tags": ["kitchen"]},
]
shared = None


def goods():
    global shared
    if shared is None:
        shared = container(offer_throughput=30000)
        for item in GOODS:
            shared.create_item(item)
    return shared


def rows(sql, parameters=None, **options):
    options = options or {"enable_cross_partition_query": True}
    return list(goods().query_items(sql, parameters=parameters, **options))


def query(sql, expected, parameters=None, ordered=False, **options):
    def run():
        found = rows(sql, parameters, **options)
        if not ordered:
            found, wanted = (sorted(json.dumps(row, sort_keys=True) for row in some) for some in (found, expected))
        else:
            wanted = expected
        assert found == wanted, (found, wanted)

    checks.append((f"query: {sql}", run))


@check("database: create twice is 409, list, delete, 404")
def _():
    client.create_database("twice")
    fails(409, lambda: client.create_database("twice"))
    assert "twice" in [one["id"] for one in client.list_databases()]
    client.delete_database("twice")
    fails(404, lambda: client.get_database_client("twice").read())


@check("database: query")
def _():
    found = list(client.query_databases("SELECT * FROM r WHERE r.id = @id", [{"name": "@id", "value": "python"}]))
    assert len(found) == 1


@check("account: a wrong key is 401")
def _():
    wrong = base64.b64encode(b"wrong").decode()
    fails(401, lambda: CosmosClient(ENDPOINT, credential=wrong).get_database_client("python").read())


@check("container: create, read, list, replace, delete")
def _():
    one = container()
    assert one.read()["partitionKey"]["paths"] == ["/pk"]
    assert one.id in [other["id"] for other in db.list_containers()]
    db.replace_container(one, PartitionKey(path="/pk"), default_ttl=60)
    assert one.read()["defaultTtl"] == 60
    db.delete_container(one)
    fails(404, one.read)


@check("container: the same id twice is 409")
def _():
    one = container()
    fails(409, lambda: db.create_container(one.id, PartitionKey(path="/pk")))


@check("throughput: manual, read and replaced")
def _():
    one = container(offer_throughput=1000)
    assert one.get_throughput().offer_throughput == 1000
    one.replace_throughput(2000)
    assert one.get_throughput().offer_throughput == 2000


@check("throughput: autoscale")
def _():
    one = container(offer_throughput=ThroughputProperties(auto_scale_max_throughput=4000))
    assert one.get_throughput().auto_scale_max_throughput == 4000


@check("item: create, read, replace, upsert, delete")
def _():
    one = container()
    created = one.create_item({"id": "a", "pk": "x", "n": 1})
    assert created["_etag"] and created["_rid"]
    assert one.read_item("a", "x")["n"] == 1
    one.replace_item("a", {"id": "a", "pk": "x", "n": 2})
    one.upsert_item({"id": "a", "pk": "x", "n": 3})
    assert one.read_item("a", "x")["n"] == 3
    one.delete_item("a", "x")
    fails(404, lambda: one.read_item("a", "x"))


@check("item: unicode, nesting, large numbers")
def _():
    one = container()
    item = {"id": "ü✓", "pk": 'é"\\', "list": [1, [2, {"a": None}]], "big": 9007199254740991, "small": 1e-7}
    one.create_item(item)
    assert own(one.read_item("ü✓", 'é"\\')) == item


@check("item: the same id twice is 409")
def _():
    one = container()
    one.create_item({"id": "a", "pk": "x"})
    fails(409, lambda: one.create_item({"id": "a", "pk": "x"}))


@check("item: replace and delete of a missing one are 404")
def _():
    one = container()
    fails(404, lambda: one.replace_item("a", {"id": "a", "pk": "x"}))
    fails(404, lambda: one.delete_item("a", "x"))


@check("item: no id is 400")
def _():
    fails(400, lambda: container().create_item({"pk": "x"}))


@check("item: over 2 MB is 413")
def _():
    fails(413, lambda: container().create_item({"id": "a", "pk": "x", "fill": "x" * 2**21}))


@check("condition: an old etag is 412 on replace, upsert and delete")
def _():
    one = container()
    etag = one.create_item({"id": "a", "pk": "x"})["_etag"]
    one.upsert_item({"id": "a", "pk": "x", "n": 2})
    old = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
    fails(412, lambda: one.replace_item("a", {"id": "a", "pk": "x"}, **old))
    fails(412, lambda: one.upsert_item({"id": "a", "pk": "x"}, **old))
    fails(412, lambda: one.delete_item("a", "x", **old))


@check("condition: the current etag passes")
def _():
    one = container()
    etag = one.create_item({"id": "a", "pk": "x"})["_etag"]
    one.replace_item("a", {"id": "a", "pk": "x", "n": 1}, etag=etag, match_condition=MatchConditions.IfNotModified)


for name, value in [("a number", 7), ("a fraction", -1.25), ("true", True), ("null", None), ("a long text", "k" * 200)]:

    @check(f"partition key: {name}")
    def _(value=value):
        one = container()
        one.create_item({"id": "a", "pk": value})
        assert one.read_item("a", value)["pk"] == value
        if value is not None:  # this client takes None for "every partition"
            assert len(list(one.query_items("SELECT * FROM c", partition_key=value))) == 1


@check("partition key: none at all")
def _():
    from azure.cosmos.partition_key import NonePartitionKeyValue

    one = container()
    one.create_item({"id": "a"})
    assert one.read_item("a", NonePartitionKeyValue)["id"] == "a"


@check("hierarchical key: read by all levels, query by prefixes")
def _():
    one = container(["/t", "/u", "/s"], offer_throughput=20000)
    for t in "ab":
        for u in "cd":
            for s in (1, 2):
                one.create_item({"id": f"{t}{u}{s}", "t": t, "u": u, "s": s})
    assert one.read_item("ac1", ["a", "c", 1])["id"] == "ac1"
    for key, count in [(["a", "c", 1], 1), (["a", "c"], 2), (["a"], 4)]:
        assert len(list(one.query_items("SELECT * FROM c", partition_key=key))) == count, key


@check("unique keys: 409 in a partition")
def _():
    one = container(unique_key_policy={"uniqueKeys": [{"paths": ["/email"]}]})
    one.create_item({"id": "a", "pk": "x", "email": "e"})
    fails(409, lambda: one.create_item({"id": "b", "pk": "x", "email": "e"}))
    one.create_item({"id": "b", "pk": "y", "email": "e"})


@check("TTL: an item ends")
def _():
    one = container(default_ttl=-1)
    one.create_item({"id": "a", "pk": "x", "ttl": 1})
    time.sleep(2.1)
    fails(404, lambda: one.read_item("a", "x"))


@check("patch: add, set, replace, remove, incr, move")
def _():
    one = container()
    one.create_item({"id": "a", "pk": "x", "n": 1, "list": [1, 2], "o": {"p": "q"}})
    operations = [
        {"op": "add", "path": "/list/1", "value": 9},
        {"op": "set", "path": "/m", "value": True},
        {"op": "replace", "path": "/o/p", "value": "r"},
        {"op": "incr", "path": "/n", "value": 2},
        {"op": "move", "from": "/o", "path": "/moved"},
        {"op": "remove", "path": "/m"},
    ]
    patched = one.patch_item("a", "x", operations)
    assert own(patched) == {"id": "a", "pk": "x", "n": 3, "list": [1, 9, 2], "moved": {"p": "r"}}


@check("patch: a condition that fails is 412")
def _():
    one = container()
    one.create_item({"id": "a", "pk": "x", "n": 1})
    operations = [{"op": "incr", "path": "/n", "value": 2}]
    fails(412, lambda: one.patch_item("a", "x", operations, filter_predicate="FROM c WHERE c.n > 1"))
    assert one.patch_item("a", "x", operations, filter_predicate="FROM c WHERE c.n = 1")["n"] == 3


@check("patch: a missing path is 400")
def _():
    one = container()
    one.create_item({"id": "a", "pk": "x"})
    fails(400, lambda: one.patch_item("a", "x", [{"op": "remove", "path": "/none"}]))


@check("batch: all of it")
def _():
    one = container()
    one.create_item({"id": "old", "pk": "x", "n": 1})
    results = one.execute_item_batch(
        [
            ("create", ({"id": "new", "pk": "x"},)),
            ("upsert", ({"id": "up", "pk": "x"},)),
            ("read", ("old",)),
            ("patch", ("old", [{"op": "incr", "path": "/n", "value": 1}])),
            ("replace", ("new", {"id": "new", "pk": "x", "n": 5})),
            ("delete", ("up",)),
        ],
        "x",
    )
    assert [one["statusCode"] for one in results] == [201, 201, 200, 200, 200, 204]


@check("batch: one failure rolls all back")
def _():
    one = container()
    one.create_item({"id": "old", "pk": "x"})
    try:
        one.execute_item_batch([("create", ({"id": "new", "pk": "x"},)), ("create", ({"id": "old", "pk": "x"},))], "x")
        raise AssertionError("no error")
    except exceptions.CosmosBatchOperationError as error:
        assert error.error_index == 1
        assert [one["statusCode"] for one in error.operation_responses] == [424, 409]
    fails(404, lambda: one.read_item("new", "x"))


@check("read many: items of several partitions")
def _():
    found = goods().read_items([("1", "a"), ("4", "b"), ("7", "d")])
    assert sorted(one["id"] for one in found) == ["1", "4", "7"]


@check("read all: every item in pages")
def _():
    pages = list(goods().read_all_items(max_item_count=2).by_page())
    assert sorted(one["id"] for page in pages for one in page) == [one["id"] for one in GOODS]


@check("query: continuation tokens within a partition")
def _():
    seen, token = [], None
    while True:
        pager = goods().query_items("SELECT VALUE c.id FROM c", partition_key="a", max_item_count=2).by_page(token)
        seen += list(next(pager))
        token = pager.continuation_token
        if not token:
            break
    assert seen == ["1", "2", "3"], seen


query("SELECT VALUE c.id FROM c WHERE c.n = @n", ["2", "7"], [{"name": "@n", "value": 2}])
query("SELECT VALUE c.id FROM c WHERE c.n > 2 AND c.n <= 7", ["4", "5", "6"])
query("SELECT VALUE c.id FROM c WHERE c.name LIKE 'P%'", ["1", "2"])
query("SELECT VALUE c.id FROM c WHERE c.name IN ('Rug', 'Cup')", ["6", "7"])
query("SELECT VALUE c.id FROM c WHERE c.n BETWEEN 3 AND 7", ["4", "5", "6"])
query("SELECT VALUE c.id FROM c WHERE ARRAY_CONTAINS(c.tags, 'green')", ["1", "4"])
query("SELECT VALUE c.id FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 'wood')", ["4"])
query("SELECT VALUE c.id FROM c WHERE NOT IS_DEFINED(c.tags)", ["6"])
query("SELECT VALUE t FROM c JOIN t IN c.tags WHERE c.pk = 'a'", ["fruit", "green", "fruit"])
query("SELECT c.id, c.none ?? 'else' AS e FROM c WHERE c.id = '1'", [{"id": "1", "e": "else"}])
query("SELECT VALUE {a: UPPER(c.name), b: LENGTH(c.name)} FROM c WHERE c.id = '1'", [{"a": "PEAR", "b": 4}])
query("SELECT VALUE c.n FROM c ORDER BY c.n", [1, 2, 2, 3, 4.5, 7, 10], ordered=True)
query("SELECT VALUE c.n FROM c ORDER BY c.n DESC", [10, 7, 4.5, 3, 2, 2, 1], ordered=True)
query("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 2 LIMIT 3", [2, 3, 4.5], ordered=True)
query("SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n", [1, 2, 2], ordered=True)
query("SELECT c.n, c.id FROM c WHERE c.n = 2 ORDER BY c.n, c.id DESC", [{"n": 2, "id": "7"}, {"n": 2, "id": "2"}], ordered=True)
query("SELECT DISTINCT VALUE c.pk FROM c", ["a", "b", "c", "d"])
query("SELECT DISTINCT VALUE c.n FROM c ORDER BY c.n", [1, 2, 3, 4.5, 7, 10], ordered=True)
query("SELECT VALUE COUNT(1) FROM c", [7])
query("SELECT VALUE SUM(c.n) FROM c", [29.5])
query("SELECT VALUE MIN(c.n) FROM c", [1])
query("SELECT VALUE MAX(c.n) FROM c", [10])
query("SELECT VALUE COUNT(1) FROM c WHERE c.pk = 'none'", [0])
query("SELECT VALUE AVG(c.n) FROM c", [13 / 3], partition_key="a")
query("SELECT c.pk, COUNT(1) AS n FROM c GROUP BY c.pk", [{"pk": "a", "n": 3}], partition_key="a")
query("SELECT * FROM c WHERE c.id = 'none'", [])


@check("query: bad SQL is 400")
def _():
    error = fails(400, lambda: rows("SELECT * FRM c", partition_key="a"))
    assert "SC1001" in str(error)


@check("query: an unknown function is 400 with its name")
def _():
    assert "NOSUCH" in str(fails(400, lambda: rows("SELECT NOSUCH(c.a) FROM c", partition_key="a")))


def feed(one, **options):
    return [item["id"] for item in one.query_items_change_feed(**options)]


def filled(throughput=400, count=20):
    one = container(offer_throughput=throughput)
    for i in range(count):
        one.create_item({"id": f"a{i}", "pk": f"k{i % 6}"})
    return one


@check("feed: from the beginning")
def _():
    assert feed(filled(), start_time="Beginning") == [f"a{i}" for i in range(20)]


@check("feed: from the beginning over two ranges")
def _():
    assert sorted(feed(filled(20000), start_time="Beginning")) == sorted(f"a{i}" for i in range(20))


@check("feed: from now, then a continuation")
def _():
    one = filled()
    pager = one.query_items_change_feed(start_time="Now")
    assert list(pager) == []
    token = one.client_connection.last_response_headers["etag"]
    one.create_item({"id": "new", "pk": "x"})
    assert feed(one, continuation=token) == ["new"]


@check("feed: of one partition key")
def _():
    assert feed(filled(20000), partition_key="k2", start_time="Beginning") == ["a2", "a8", "a14"]


@check("feed: from a time")
def _():
    one = filled(count=3)
    time.sleep(1.1)
    since = datetime.now(timezone.utc)
    time.sleep(1)
    one.create_item({"id": "late", "pk": "x"})
    assert feed(one, start_time=since) == ["late"]


@check("feed: the feed ranges together give every item once")
def _():
    one = filled(30000)
    ranges = list(one.read_feed_ranges())
    assert len(ranges) == 3
    seen = [item for range in ranges for item in feed(one, feed_range=range, start_time="Beginning")]
    assert sorted(seen) == sorted(f"a{i}" for i in range_(20))


range_ = range


@check("feed: goes on after a split")
def _():
    one = filled()
    list(one.query_items_change_feed(start_time="Beginning"))
    token = one.client_connection.last_response_headers["etag"]
    admin("POST", f"containers/python/{one.id}/split", {})
    for i in range(20, 30):
        one.create_item({"id": f"a{i}", "pk": f"k{i % 6}"})
    assert sorted(feed(one, continuation=token)) == sorted(f"a{i}" for i in range(20, 30))


@check("feed: all versions and deletes")
def _():
    one = container()
    list(one.query_items_change_feed(start_time="Now", mode="AllVersionsAndDeletes"))
    token = one.client_connection.last_response_headers["etag"]
    one.create_item({"id": "a", "pk": "x", "n": 1})
    one.upsert_item({"id": "a", "pk": "x", "n": 2})
    one.delete_item("a", "x")
    seen = list(one.query_items_change_feed(continuation=token, mode="AllVersionsAndDeletes"))
    assert [item["metadata"]["operationType"] for item in seen] == ["create", "replace", "delete"]


@check("query: goes on after a split")
def _():
    one = filled()
    assert len(list(one.query_items("SELECT * FROM c", enable_cross_partition_query=True))) == 20
    admin("POST", f"containers/python/{one.id}/split", {})
    sql = "SELECT VALUE c.id FROM c ORDER BY c.id"
    assert list(one.query_items(sql, enable_cross_partition_query=True)) == sorted(f"a{i}" for i in range(20))


@check("session: the token of a write is honoured, one ahead is 404/1002")
def _():
    one = container()
    one.create_item({"id": "a", "pk": "x"})
    token = one.client_connection.last_response_headers["x-ms-session-token"]
    assert one.read_item("a", "x", session_token=token)["id"] == "a"
    fresh = CosmosClient(ENDPOINT, credential=KEY, retry_total=0)
    other = fresh.get_database_client("python").get_container_client(one.id)
    fails(404, lambda: other.read_item("none", "x", session_token=token))
    fails(404, lambda: other.read_item("a", "x", session_token="0:-1#999"), 1002)


@check("throttling: 429 is retried")
def _():
    one = container()
    rule = {"container": f"python/{one.id}", "operations": ["create"], "count": 2}
    admin("POST", "faults", {**rule, "fault": {"kind": "status", "status": 429, "retryAfterMs": 5}})
    assert one.create_item({"id": "a", "pk": "x"})["id"] == "a"


@check("charge: 4.95 RU for a write and 1 RU for a read of 1 KB")
def _():
    one = container()
    one.create_item({"id": "a", "pk": "x"})
    assert one.client_connection.last_response_headers["x-ms-request-charge"] == "4.95"
    one.read_item("a", "x")
    assert one.client_connection.last_response_headers["x-ms-request-charge"] == "1"


failures = []
for name, run in checks:
    try:
        run()
    except Exception as error:  # noqa: BLE001 - every failure is reported by name
        failures.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
print(json.dumps({"pass": len(checks) - len(failures), "fail": len(failures), "failures": failures}))
