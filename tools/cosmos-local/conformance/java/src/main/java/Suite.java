import com.azure.cosmos.ConsistencyLevel;
import com.azure.cosmos.CosmosClient;
import com.azure.cosmos.CosmosClientBuilder;
import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.CosmosDatabase;
import com.azure.cosmos.CosmosException;
import com.azure.cosmos.GatewayConnectionConfig;
import com.azure.cosmos.models.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.UUID;

/** Checks with Microsoft's Java client over TLS, gateway mode: `Suite ENDPOINT KEY`. */
public final class Suite {
    interface Check {
        void run() throws Exception;
    }

    static final ObjectMapper JSON = new ObjectMapper();
    static final Map<String, Check> CHECKS = new LinkedHashMap<>();
    static CosmosDatabase database;
    static int made;

    static CosmosContainer container(int throughput) {
        String id = "c" + ++made;
        database.createContainer(new CosmosContainerProperties(id, "/pk"), ThroughputProperties.createManualThroughput(throughput));
        return database.getContainer(id);
    }

    static ObjectNode item(String id, String pk, double n) {
        return JSON.createObjectNode().put("id", id).put("pk", pk).put("n", n);
    }

    static CosmosContainer filled(int throughput) {
        CosmosContainer container = container(throughput);
        for (int i = 0; i < 20; i++) container.createItem(item("a" + i, "k" + i % 6, i));
        return container;
    }

    static void equal(Object found, Object expected) {
        if (!String.valueOf(found).equals(String.valueOf(expected))) throw new AssertionError("found " + found + ", expected " + expected);
    }

    static void fails(int status, Check work) throws Exception {
        try {
            work.run();
        } catch (CosmosException error) {
            equal(error.getStatusCode(), status);
            return;
        }
        throw new AssertionError("expected " + status + ", nothing was thrown");
    }

    static List<JsonNode> query(CosmosContainer container, String sql) {
        List<JsonNode> rows = new ArrayList<>();
        container.queryItems(sql, new CosmosQueryRequestOptions(), JsonNode.class).forEach(rows::add);
        return rows;
    }

    static List<String> ids(CosmosContainer container, CosmosChangeFeedRequestOptions start) {
        List<String> ids = new ArrayList<>();
        CosmosChangeFeedRequestOptions options = start;
        for (int empty = 0; empty < 1; ) {
            String next = null;
            int before = ids.size();
            for (FeedResponse<JsonNode> page : container.queryChangeFeed(options, JsonNode.class).iterableByPage()) {
                page.getResults().forEach(one -> ids.add(one.get("id").asText()));
                next = page.getContinuationToken();
            }
            if (ids.size() == before) empty++;
            options = CosmosChangeFeedRequestOptions.createForProcessingFromContinuation(next);
        }
        return ids;
    }

    static void define() {
        CHECKS.put("item: create, read, replace, upsert, delete", () -> {
            CosmosContainer container = container(400);
            CosmosItemResponse<ObjectNode> created = container.createItem(item("a", "x", 1));
            equal(created.getStatusCode(), 201);
            equal(created.getRequestCharge(), 4.95);
            equal(container.readItem("a", new PartitionKey("x"), JsonNode.class).getItem().get("n").asInt(), 1);
            container.replaceItem(item("a", "x", 2), "a", new PartitionKey("x"), new CosmosItemRequestOptions());
            equal(container.upsertItem(item("a", "x", 3)).getStatusCode(), 200);
            equal(container.readItem("a", new PartitionKey("x"), JsonNode.class).getItem().get("n").asInt(), 3);
            equal(container.deleteItem("a", new PartitionKey("x"), new CosmosItemRequestOptions()).getStatusCode(), 204);
            fails(404, () -> container.readItem("a", new PartitionKey("x"), JsonNode.class));
        });
        CHECKS.put("item: the same id twice is 409", () -> {
            CosmosContainer container = container(400);
            container.createItem(item("a", "x", 1));
            fails(409, () -> container.createItem(item("a", "x", 1)));
        });
        CHECKS.put("item: an old etag is 412", () -> {
            CosmosContainer container = container(400);
            String etag = container.createItem(item("a", "x", 1)).getETag();
            container.upsertItem(item("a", "x", 2));
            CosmosItemRequestOptions old = new CosmosItemRequestOptions().setIfMatchETag(etag);
            fails(412, () -> container.replaceItem(item("a", "x", 3), "a", new PartitionKey("x"), old));
        });
        CHECKS.put("item: patch", () -> {
            CosmosContainer container = container(400);
            container.createItem(item("a", "x", 1));
            CosmosPatchOperations operations = CosmosPatchOperations.create().increment("/n", 2).set("/m", "new");
            JsonNode patched = container.patchItem("a", new PartitionKey("x"), operations, JsonNode.class).getItem();
            equal(patched.get("n").asInt() + patched.get("m").asText(), "3new");
        });
        CHECKS.put("item: batch, rolled back by one failure", () -> {
            CosmosContainer container = container(400);
            container.createItem(item("old", "x", 1));
            CosmosBatch good = CosmosBatch.createCosmosBatch(new PartitionKey("x"));
            good.createItemOperation(item("new", "x", 1));
            good.upsertItemOperation(item("old", "x", 2));
            equal(container.executeCosmosBatch(good).getStatusCode(), 200);
            CosmosBatch bad = CosmosBatch.createCosmosBatch(new PartitionKey("x"));
            bad.createItemOperation(item("newer", "x", 1));
            bad.createItemOperation(item("old", "x", 2));
            equal(container.executeCosmosBatch(bad).isSuccessStatusCode(), false);
            fails(404, () -> container.readItem("newer", new PartitionKey("x"), JsonNode.class));
        });
        CHECKS.put("item: bulk over three ranges", () -> {
            CosmosContainer container = container(30000);
            List<CosmosItemOperation> operations = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                String pk = "k" + i % 20;
                operations.add(CosmosBulkOperations.getCreateItemOperation(item("b" + i, pk, i), new PartitionKey(pk)));
            }
            int good = 0;
            for (CosmosBulkOperationResponse<Object> one : container.executeBulkOperations(operations)) {
                if (one.getResponse() != null && one.getResponse().getStatusCode() == 201) good++;
            }
            equal(good, 100);
        });
        CHECKS.put("item: read many", () -> {
            CosmosContainer container = filled(20000);
            List<CosmosItemIdentity> wanted = List.of(
                new CosmosItemIdentity(new PartitionKey("k1"), "a1"),
                new CosmosItemIdentity(new PartitionKey("k2"), "a2"));
            equal(container.readMany(wanted, JsonNode.class).getResults().size(), 2);
        });
        CHECKS.put("feed ranges: three for 30,000 RU", () -> equal(container(30000).getFeedRanges().size(), 3));
        String[][] queries = {
            {"SELECT VALUE c.id FROM c WHERE c.n = 7", "\"a7\""},
            {"SELECT VALUE c.n FROM c ORDER BY c.n DESC OFFSET 1 LIMIT 3", "18.0,17.0,16.0"},
            {"SELECT TOP 2 VALUE c.n FROM c ORDER BY c.n", "0.0,1.0"},
            {"SELECT VALUE COUNT(1) FROM c", "20"},
            {"SELECT VALUE SUM(c.n) FROM c", "190"},
            {"SELECT VALUE AVG(c.n) FROM c", "9.5"},
            {"SELECT VALUE MIN(c.n) FROM c", "0"},
            {"SELECT VALUE MAX(c.n) FROM c", "19"},
            {"SELECT VALUE c.n FROM c WHERE c.pk = 'k5' ORDER BY c.n", "5.0,11.0,17.0"},
        };
        CosmosContainer[] shared = new CosmosContainer[1];
        for (String[] pair : queries) {
            CHECKS.put("query: " + pair[0], () -> {
                if (shared[0] == null) shared[0] = filled(30000);
                List<String> found = new ArrayList<>();
                query(shared[0], pair[0]).forEach(row -> found.add(row.toString()));
                String text = String.join(",", found);
                if (!text.equals(pair[1]) && !text.replace(".0", "").equals(pair[1].replace(".0", ""))) equal(text, pair[1]);
            });
        }
        CHECKS.put("query: GROUP BY", () -> {
            List<JsonNode> rows = query(shared[0], "SELECT c.pk, COUNT(1) AS n FROM c GROUP BY c.pk");
            TreeSet<String> found = new TreeSet<>();
            rows.forEach(row -> found.add(row.get("pk").asText() + row.get("n").asInt()));
            equal(found, "[k04, k14, k23, k33, k43, k53]");
        });
        CHECKS.put("query: DISTINCT", () -> equal(query(shared[0], "SELECT DISTINCT VALUE c.pk FROM c").size(), 6));
        CHECKS.put("query: pages by continuation", () -> {
            TreeSet<String> seen = new TreeSet<>();
            String token = null;
            do {
                String next = null;
                for (FeedResponse<JsonNode> page : shared[0].queryItems("SELECT * FROM c", new CosmosQueryRequestOptions(), JsonNode.class).iterableByPage(token, 4)) {
                    page.getResults().forEach(one -> seen.add(one.get("id").asText()));
                    next = page.getContinuationToken();
                    break;
                }
                token = next;
            } while (token != null);
            equal(seen.size(), 20);
        });
        CHECKS.put("query: of one feed range after another", () -> {
            int rows = 0;
            for (FeedRange range : shared[0].getFeedRanges()) {
                CosmosQueryRequestOptions options = new CosmosQueryRequestOptions().setFeedRange(range);
                for (JsonNode ignored : shared[0].queryItems("SELECT * FROM c", options, JsonNode.class)) rows++;
            }
            equal(rows, 20);
        });
        CHECKS.put("query: bad SQL is 400", () -> fails(400, () -> query(shared[0], "SELECT * FRM c")));
        CHECKS.put("change feed: from the beginning, whole container", () -> {
            List<String> ids = ids(filled(400), CosmosChangeFeedRequestOptions.createForProcessingFromBeginning(FeedRange.forFullRange()));
            equal(ids.size() + ids.get(0) + ids.get(19), "20a0a19");
        });
        CHECKS.put("change feed: every feed range by itself", () -> {
            CosmosContainer container = filled(30000);
            TreeSet<String> seen = new TreeSet<>();
            int count = 0;
            for (FeedRange range : container.getFeedRanges()) {
                List<String> some = ids(container, CosmosChangeFeedRequestOptions.createForProcessingFromBeginning(range));
                count += some.size();
                seen.addAll(some);
            }
            equal(count + "/" + seen.size(), "20/20");
        });
        CHECKS.put("change feed: of one partition key", () -> {
            FeedRange range = FeedRange.forLogicalPartition(new PartitionKey("k2"));
            equal(ids(filled(20000), CosmosChangeFeedRequestOptions.createForProcessingFromBeginning(range)), "[a2, a8, a14]");
        });
        CHECKS.put("change feed: from now", () -> {
            CosmosContainer container = filled(400);
            String token = null;
            CosmosChangeFeedRequestOptions now = CosmosChangeFeedRequestOptions.createForProcessingFromNow(FeedRange.forFullRange());
            for (FeedResponse<JsonNode> page : container.queryChangeFeed(now, JsonNode.class).iterableByPage()) token = page.getContinuationToken();
            container.createItem(item("new", "x", 1));
            equal(ids(container, CosmosChangeFeedRequestOptions.createForProcessingFromContinuation(token)), "[new]");
        });
    }

    public static void main(String[] args) throws Exception {
        List<String> failures = new ArrayList<>();
        try (CosmosClient client = new CosmosClientBuilder()
                .endpoint(args[0])
                .key(args[1])
                .gatewayMode(new GatewayConnectionConfig())
                .consistencyLevel(ConsistencyLevel.SESSION)
                .contentResponseOnWriteEnabled(true)
                .buildClient()) {
            String id = "java-" + UUID.randomUUID();
            client.createDatabaseIfNotExists(id);
            database = client.getDatabase(id);
            define();
            for (Map.Entry<String, Check> check : CHECKS.entrySet()) {
                try {
                    check.getValue().run();
                } catch (Throwable error) {
                    String text = String.valueOf(error);
                    failures.add(check.getKey() + ": " + text.substring(0, Math.min(300, text.length())));
                }
            }
        }
        ObjectNode result = JSON.createObjectNode().put("pass", CHECKS.size() - failures.size()).put("fail", failures.size());
        result.set("failures", JSON.valueToTree(failures));
        System.out.println(result);
        System.exit(0);
    }
}
