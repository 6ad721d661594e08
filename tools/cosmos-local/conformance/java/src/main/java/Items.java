import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.CosmosException;
import com.azure.cosmos.models.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/** Items one by one: writes, reads, conditions, keys, TTL, patches. */
final class Items {
    private static final PartitionKey X = new PartitionKey("x");

    private Items() {}

    private static CosmosItemRequestOptions options() {
        return new CosmosItemRequestOptions();
    }

    static void define() {
        World.check("item: create, read, replace, upsert, delete", () -> {
            CosmosContainer container = World.container(400);
            CosmosItemResponse<ObjectNode> created = container.createItem(World.item("a", "x", 1));
            World.equal(created.getStatusCode(), 201);
            World.equal(created.getRequestCharge(), 4.95);
            World.equal(World.read(container, "a", "x").get("n").asInt(), 1);
            container.replaceItem(World.item("a", "x", 2), "a", X, options());
            World.equal(container.upsertItem(World.item("a", "x", 3)).getStatusCode(), 200);
            World.equal(World.read(container, "a", "x").get("n").asInt(), 3);
            World.equal(container.deleteItem("a", X, options()).getStatusCode(), 204);
            World.fails(404, () -> World.read(container, "a", "x"));
        });
        World.check("item: a point read of 1 KB costs 1 RU", () -> {
            CosmosContainer container = World.container(400);
            container.createItem(World.item("a", "x", 1));
            World.equal(container.readItem("a", X, JsonNode.class).getRequestCharge(), 1.0);
        });
        World.check("item: upsert of a new one is 201", () ->
            World.equal(World.container(400).upsertItem(World.item("a", "x", 1)).getStatusCode(), 201));
        World.check("item: system properties are there and an update changes the etag", () -> {
            CosmosContainer container = World.container(400);
            String first = container.createItem(World.item("a", "x", 1)).getETag();
            JsonNode read = World.read(container, "a", "x");
            World.equal(read.get("_etag").asText(), first);
            for (String name : List.of("_rid", "_self", "_ts", "_attachments")) if (!read.has(name)) throw new AssertionError("no " + name);
            World.equal(container.upsertItem(World.item("a", "x", 1)).getETag().equals(first), false);
        });
        World.check("item: unicode, nesting and large numbers come back as they were", () -> {
            CosmosContainer container = World.container(400);
            JsonNode given = World.JSON.readTree("{\"id\":\"ü✓\",\"pk\":\"é\\\"\",\"list\":[1,[2,{\"a\":null}]],\"big\":9007199254740991,\"small\":1e-7}");
            container.createItem(given);
            JsonNode found = World.read(container, "ü✓", "é\"");
            for (String name : List.of("id", "pk", "list", "big", "small")) World.equal(found.get(name), given.get(name));
        });
        World.check("item: without content on write the answer has no body", () -> {
            CosmosItemResponse<ObjectNode> created =
                World.container(400).createItem(World.item("a", "x", 1), X, options().setContentResponseOnWriteEnabled(false));
            World.equal(created.getStatusCode() + " " + created.getItem(), "201 null");
        });
        World.check("item: the same id twice is 409", () -> {
            CosmosContainer container = World.container(400);
            container.createItem(World.item("a", "x", 1));
            World.fails(409, () -> container.createItem(World.item("a", "x", 1)));
        });
        World.check("item: the same id in another partition is another item", () -> {
            CosmosContainer container = World.container(20000);
            container.createItem(World.item("a", "x", 1));
            container.createItem(World.item("a", "y", 2));
            container.deleteItem("a", X, options());
            World.equal(World.read(container, "a", "y").get("n").asInt(), 2);
        });
        World.check("item: replace and delete of a missing one are 404", () -> {
            CosmosContainer container = World.container(400);
            World.fails(404, () -> container.replaceItem(World.item("a", "x", 1), "a", X, options()));
            World.fails(404, () -> container.deleteItem("a", X, options()));
        });
        World.check("item: an unknown container is 404", () ->
            World.fails(404, () -> World.read(World.database.getContainer("none"), "a", "x")));
        World.check("item: over 2 MB is 413", () -> {
            ObjectNode large = World.item("a", "x", 1).put("fill", "x".repeat(2 * 1024 * 1024));
            World.fails(413, () -> World.container(400).createItem(large));
        });
        World.check("item: an id of 1,024 bytes is 400, one of 1,023 is stored", () -> {
            CosmosContainer container = World.container(400);
            World.fails(400, () -> container.createItem(World.item("i".repeat(1024), "x", 1)));
            World.equal(container.createItem(World.item("i".repeat(1023), "x", 1)).getStatusCode(), 201);
        });
        World.check("item: a partition key that is not the item's is 400/1001", () -> {
            CosmosException error = World.fails(400, () ->
                World.container(400).createItem(World.item("a", "x", 1), new PartitionKey("y"), options()));
            World.equal(error.getSubStatusCode(), 1001);
        });
        conditions();
        keys();
        ttl();
        patches();
    }

    private static void conditions() {
        World.check("condition: an old etag is 412 on replace, upsert and delete", () -> {
            CosmosContainer container = World.container(400);
            String etag = container.createItem(World.item("a", "x", 1)).getETag();
            container.upsertItem(World.item("a", "x", 2));
            World.fails(412, () -> container.replaceItem(World.item("a", "x", 3), "a", X, options().setIfMatchETag(etag)));
            World.fails(412, () -> container.upsertItem(World.item("a", "x", 3), options().setIfMatchETag(etag)));
            World.fails(412, () -> container.deleteItem("a", X, options().setIfMatchETag(etag)));
            World.equal(World.read(container, "a", "x").get("n").asInt(), 2);
        });
        World.check("condition: the current etag passes", () -> {
            CosmosContainer container = World.container(400);
            String etag = container.createItem(World.item("a", "x", 1)).getETag();
            World.equal(container.replaceItem(World.item("a", "x", 2), "a", X, options().setIfMatchETag(etag)).getStatusCode(), 200);
        });
        World.check("condition: a read with the current etag is 304, with an old one 200", () -> {
            CosmosContainer container = World.container(400);
            String old = container.createItem(World.item("a", "x", 1)).getETag();
            String now = container.upsertItem(World.item("a", "x", 2)).getETag();
            World.equal(container.readItem("a", X, options().setIfNoneMatchETag(now), JsonNode.class).getStatusCode(), 304);
            World.equal(container.readItem("a", X, options().setIfNoneMatchETag(old), JsonNode.class).getStatusCode(), 200);
        });
        World.check("condition: unique keys are 409 in a partition, free in another", () -> {
            CosmosContainerProperties properties = World.properties("/pk");
            properties.setUniqueKeyPolicy(new UniqueKeyPolicy().setUniqueKeys(List.of(new UniqueKey(List.of("/n")))));
            CosmosContainer container = World.container(properties, 400);
            container.createItem(World.item("a", "x", 1));
            World.fails(409, () -> container.createItem(World.item("b", "x", 1)));
            World.equal(container.createItem(World.item("b", "y", 1)).getStatusCode(), 201);
        });
    }

    private static void keys() {
        Object[] values = {7.0, -1.25, true, "k".repeat(200)};
        for (Object value : values) {
            String text = String.valueOf(value);
            World.check("partition key: " + (text.length() > 20 ? "200 characters" : text), () -> {
                CosmosContainer container = World.container(400);
                ObjectNode item = World.JSON.createObjectNode().put("id", "a");
                item.set("pk", World.JSON.valueToTree(value));
                container.createItem(item);
                JsonNode found = container.readItem("a", new PartitionKey(value), JsonNode.class).getItem().get("pk");
                World.equal(found.isNumber() ? found.doubleValue() : found.asText(), text);
            });
        }
        World.check("partition key: none at all", () -> {
            CosmosContainer container = World.container(400);
            container.createItem(World.JSON.createObjectNode().put("id", "a"), PartitionKey.NONE, options());
            World.equal(container.readItem("a", PartitionKey.NONE, JsonNode.class).getItem().get("id").asText(), "a");
        });
        World.check("hierarchical key: read by all levels, query by prefixes", () -> {
            CosmosContainer container = World.hierarchical(20000, "/t", "/u", "/s");
            for (String t : List.of("a", "b")) {
                for (String u : List.of("c", "d")) {
                    for (int s = 1; s <= 2; s++) {
                        container.createItem(World.JSON.createObjectNode().put("id", t + u + s).put("t", t).put("u", u).put("s", s));
                    }
                }
            }
            PartitionKey whole = new PartitionKeyBuilder().add("a").add("c").add(1).build();
            World.equal(container.readItem("ac1", whole, JsonNode.class).getItem().get("id").asText(), "ac1");
            PartitionKey two = new PartitionKeyBuilder().add("a").add("c").build();
            PartitionKey one = new PartitionKeyBuilder().add("a").build();
            SqlQuerySpec all = new SqlQuerySpec("SELECT * FROM c");
            World.equal(World.query(container, all, new CosmosQueryRequestOptions().setPartitionKey(whole)).size(), 1);
            World.equal(World.query(container, all, new CosmosQueryRequestOptions().setPartitionKey(two)).size(), 2);
            World.equal(World.query(container, all, new CosmosQueryRequestOptions().setPartitionKey(one)).size(), 4);
            container.deleteItem("ac1", whole, options());
            World.fails(404, () -> container.readItem("ac1", whole, JsonNode.class));
        });
        World.check("hierarchical key: part of it is not enough to read one item", () -> {
            CosmosContainer container = World.hierarchical(400, "/t", "/u");
            container.createItem(World.JSON.createObjectNode().put("id", "a").put("t", "x").put("u", "y"));
            PartitionKey part = new PartitionKeyBuilder().add("x").build();
            World.fails(400, () -> container.readItem("a", part, JsonNode.class));
        });
    }

    private static void ttl() {
        World.check("TTL: an item with its own ends, one without stays", () -> {
            CosmosContainerProperties properties = World.properties("/pk");
            properties.setDefaultTimeToLiveInSeconds(-1);
            CosmosContainer container = World.container(properties, 400);
            container.createItem(World.item("short", "x", 1).put("ttl", 1));
            container.createItem(World.item("long", "x", 1));
            Thread.sleep(2100);
            World.fails(404, () -> World.read(container, "short", "x"));
            World.equal(World.read(container, "long", "x").get("id").asText(), "long");
            World.equal(World.query(container, "SELECT * FROM c").size(), 1);
        });
        World.check("TTL: the container's default ends every item but one that says never", () -> {
            CosmosContainerProperties properties = World.properties("/pk");
            properties.setDefaultTimeToLiveInSeconds(1);
            CosmosContainer container = World.container(properties, 400);
            container.createItem(World.item("short", "x", 1));
            container.createItem(World.item("never", "x", 1).put("ttl", -1));
            Thread.sleep(2100);
            World.fails(404, () -> World.read(container, "short", "x"));
            World.equal(World.read(container, "never", "x").get("id").asText(), "never");
        });
    }

    private static void patches() {
        World.check("patch: add, set, replace, remove, increment, move", () -> {
            CosmosContainer container = World.container(400);
            ObjectNode item = World.item("a", "x", 1);
            item.putArray("list").add(1).add(2);
            item.putObject("o").put("p", "q");
            container.createItem(item);
            CosmosPatchOperations operations = CosmosPatchOperations.create()
                .add("/list/1", 9).set("/m", true).replace("/o/p", "r").increment("/n", 2).move("/o", "/moved").remove("/m");
            JsonNode patched = container.patchItem("a", X, operations, JsonNode.class).getItem();
            World.equal(patched.get("list"), "[1,9,2]");
            World.equal(patched.get("moved"), "{\"p\":\"r\"}");
            World.equal(patched.get("n").asDouble() + " " + patched.has("m") + " " + patched.has("o"), "3.0 false false");
        });
        World.check("patch: a condition that fails is 412 and changes nothing", () -> {
            CosmosContainer container = World.container(400);
            container.createItem(World.item("a", "x", 1));
            CosmosPatchOperations add = CosmosPatchOperations.create().increment("/n", 2);
            CosmosPatchItemRequestOptions never = new CosmosPatchItemRequestOptions().setFilterPredicate("FROM c WHERE c.n > 1");
            World.fails(412, () -> container.patchItem("a", X, add, never, JsonNode.class));
            CosmosPatchItemRequestOptions holds = new CosmosPatchItemRequestOptions().setFilterPredicate("FROM c WHERE c.n = 1");
            World.equal(container.patchItem("a", X, add, holds, JsonNode.class).getItem().get("n").asInt(), 3);
        });
        World.check("patch: of a missing path 400, of a missing item 404", () -> {
            CosmosContainer container = World.container(400);
            container.createItem(World.item("a", "x", 1));
            CosmosPatchOperations remove = CosmosPatchOperations.create().remove("/none");
            World.fails(400, () -> container.patchItem("a", X, remove, JsonNode.class));
            World.fails(404, () -> container.patchItem("b", X, remove, JsonNode.class));
        });
        World.check("patch: an old etag is 412", () -> {
            CosmosContainer container = World.container(400);
            String etag = container.createItem(World.item("a", "x", 1)).getETag();
            container.upsertItem(World.item("a", "x", 2));
            CosmosPatchItemRequestOptions old = new CosmosPatchItemRequestOptions();
            old.setIfMatchETag(etag);
            CosmosPatchOperations add = CosmosPatchOperations.create().increment("/n", 2);
            World.fails(412, () -> container.patchItem("a", X, add, old, JsonNode.class));
        });
    }
}
