import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.models.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** Cosmos SQL through the Java client's own pipeline, over three physical ranges. */
final class Queries {
    private static CosmosContainer shared;

    private Queries() {}

    /** Twenty items; n counts up, half its parity, tags where n is even. */
    private static CosmosContainer shared() {
        if (shared == null) {
            shared = World.container(30000);
            for (int i = 0; i < 20; i++) {
                ObjectNode item = World.item("a" + i, "k" + i % 6, i).put("odd", i % 2 == 1).put("name", "Name " + (char) ('a' + i));
                if (i % 2 == 0) item.putArray("tags").add("even").add("t" + i % 4);
                shared.createItem(item);
            }
        }
        return shared;
    }

    /** Whole numbers are told as such: the client gives 7 back as 7 or as 7.0. */
    private static String text(List<JsonNode> rows) {
        List<String> found = new ArrayList<>();
        rows.forEach(row -> found.add(row.isDouble() && row.doubleValue() == Math.rint(row.doubleValue()) ? String.valueOf(row.longValue()) : row.toString()));
        return String.join(",", found);
    }

    private static void ordered(String sql, String expected) {
        World.check("query: " + sql, () -> World.equal(text(World.query(shared(), sql)), expected));
    }

    private static void anyOrder(String sql, String... expected) {
        World.check("query: " + sql, () -> {
            List<String> found = new ArrayList<>();
            World.query(shared(), sql).forEach(row -> found.add(row.isTextual() ? row.asText() : row.toString()));
            found.sort(null);
            World.equal(found, List.of(expected).stream().sorted().toList());
        });
    }

    static void define() {
        ordered("SELECT VALUE c.id FROM c WHERE c.n = 7", "\"a7\"");
        ordered("SELECT VALUE c.n FROM c ORDER BY c.n DESC OFFSET 1 LIMIT 3", "18,17,16");
        ordered("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 18 LIMIT 10", "18,19");
        ordered("SELECT TOP 2 VALUE c.n FROM c ORDER BY c.n", "0,1");
        ordered("SELECT VALUE c.n FROM c WHERE c.pk = 'k5' ORDER BY c.n", "5,11,17");
        ordered("SELECT VALUE c.n FROM c WHERE c.n >= 16 ORDER BY c.odd, c.n DESC", "18,16,19,17");
        ordered("SELECT VALUE COUNT(1) FROM c", "20");
        ordered("SELECT VALUE COUNT(1) FROM c WHERE c.n > 100", "0");
        ordered("SELECT VALUE SUM(c.n) FROM c", "190");
        ordered("SELECT VALUE AVG(c.n) FROM c", "9.5");
        ordered("SELECT VALUE MIN(c.n) FROM c", "0");
        ordered("SELECT VALUE MAX(c.n) FROM c", "19");
        ordered("SELECT DISTINCT VALUE c.pk FROM c ORDER BY c.pk", "\"k0\",\"k1\",\"k2\",\"k3\",\"k4\",\"k5\"");
        anyOrder("SELECT DISTINCT VALUE c.pk FROM c", "k0", "k1", "k2", "k3", "k4", "k5");
        anyOrder("SELECT VALUE c.id FROM c WHERE c.n BETWEEN 3 AND 5", "a3", "a4", "a5");
        anyOrder("SELECT VALUE c.id FROM c WHERE c.id IN ('a1', 'a12', 'none')", "a1", "a12");
        anyOrder("SELECT VALUE c.id FROM c WHERE c.name LIKE '%b' OR STARTSWITH(c.name, 'Name c')", "a1", "a2");
        anyOrder("SELECT VALUE c.id FROM c WHERE ARRAY_CONTAINS(c.tags, 't2') AND c.n < 10", "a2", "a6");
        anyOrder("SELECT VALUE c.id FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 't0') AND c.n < 8", "a0", "a4");
        anyOrder("SELECT VALUE t FROM c JOIN t IN c.tags WHERE c.n <= 2", "even", "t0", "even", "t2");
        anyOrder("SELECT VALUE c.id FROM c WHERE NOT IS_DEFINED(c.tags) AND c.n < 4", "a1", "a3");
        anyOrder("SELECT VALUE UPPER(c.name) FROM c WHERE c.n = 1", "NAME B");
        anyOrder("SELECT c.id, c.none ?? 'else' AS e FROM c WHERE c.id = 'a1'", "{\"id\":\"a1\",\"e\":\"else\"}");
        anyOrder("SELECT * FROM c WHERE c.n = 'seven'");
        World.check("query: parameters", () -> {
            SqlQuerySpec sql = new SqlQuerySpec("SELECT VALUE c.id FROM c WHERE c.pk = @pk AND c.n > @n ORDER BY c.n",
                new SqlParameter("@pk", "k1"), new SqlParameter("@n", 5));
            World.equal(text(World.query(shared(), sql, new CosmosQueryRequestOptions())), "\"a7\",\"a13\",\"a19\"");
        });
        World.check("query: of one partition sees no other", () -> {
            CosmosQueryRequestOptions options = new CosmosQueryRequestOptions().setPartitionKey(new PartitionKey("k3"));
            World.equal(text(World.query(shared(), new SqlQuerySpec("SELECT VALUE c.n FROM c ORDER BY c.n"), options)), "3,9,15");
        });
        World.check("query: GROUP BY over three ranges", () -> {
            TreeSet<String> found = new TreeSet<>();
            World.query(shared(), "SELECT c.pk, COUNT(1) AS n, MAX(c.n) AS m FROM c GROUP BY c.pk")
                .forEach(row -> found.add(row.get("pk").asText() + ":" + row.get("n").asInt() + ":" + row.get("m").asInt()));
            World.equal(found, "[k0:4:18, k1:4:19, k2:3:14, k3:3:15, k4:3:16, k5:3:17]");
        });
        pages();
        World.check("query: bad SQL is 400", () -> World.fails(400, () -> World.query(shared(), "SELECT * FRM c")));
        World.check("query: an unknown function is 400 with its name", () -> {
            String message = World.fails(400, () -> World.query(shared(), "SELECT NOSUCH(c.n) FROM c")).getMessage();
            World.equal(message.contains("NOSUCH"), true);
        });
        World.check("query: goes on after a split", () -> {
            CosmosContainer container = World.filled(400);
            World.equal(World.query(container, "SELECT * FROM c").size(), 20);
            World.split(container);
            World.equal(text(World.query(container, "SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n DESC")), "19,18,17");
            World.equal(World.query(container, "SELECT * FROM c").size(), 20);
        });
        World.check("query: a page's charge is told", () -> {
            for (FeedResponse<JsonNode> page : shared().queryItems("SELECT * FROM c", new CosmosQueryRequestOptions(), JsonNode.class).iterableByPage()) {
                if (page.getRequestCharge() <= 0) throw new AssertionError("charge " + page.getRequestCharge());
            }
        });
    }

    /** All rows of a query whose every page is asked for by the continuation of the one before, by a new iterator. */
    private static List<String> byContinuation(String sql, int size) {
        List<String> seen = new ArrayList<>();
        String token = null;
        do {
            String next = null;
            for (FeedResponse<JsonNode> page : shared().queryItems(sql, new CosmosQueryRequestOptions(), JsonNode.class).iterableByPage(token, size)) {
                if (page.getResults().size() > size) throw new AssertionError("a page of " + page.getResults().size());
                page.getResults().forEach(one -> seen.add(one.get("id").asText()));
                next = page.getContinuationToken();
                break;
            }
            token = next;
        } while (token != null);
        return seen;
    }

    private static void pages() {
        World.check("query: pages of 4 by continuation give every item once", () -> {
            List<String> seen = byContinuation("SELECT * FROM c", 4);
            World.equal(seen.size() + "/" + new TreeSet<>(seen).size(), "20/20");
        });
        World.check("query: pages of 3 by continuation keep ORDER BY's order", () -> {
            List<String> expected = new ArrayList<>();
            for (int i = 19; i >= 0; i--) expected.add("a" + i);
            World.equal(byContinuation("SELECT * FROM c ORDER BY c.n DESC", 3), expected);
        });
        World.check("query: of one feed range after another gives every item once", () -> {
            List<String> seen = new ArrayList<>();
            for (FeedRange range : shared().getFeedRanges()) {
                CosmosQueryRequestOptions options = new CosmosQueryRequestOptions().setFeedRange(range);
                World.query(shared(), new SqlQuerySpec("SELECT * FROM c"), options).forEach(one -> seen.add(one.get("id").asText()));
            }
            World.equal(seen.size() + "/" + new TreeSet<>(seen).size(), "20/20");
        });
    }
}
