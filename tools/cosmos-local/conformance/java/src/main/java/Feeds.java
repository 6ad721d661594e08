import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.models.*;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** Feed ranges and the change feed. */
final class Feeds {
    private static final FeedRange ALL = FeedRange.forFullRange();

    private Feeds() {}

    /** What one reading came to: the documents, and where to go on. */
    private record Reading(List<JsonNode> documents, String continuation) {
        List<String> ids() {
            return documents.stream().map(one -> one.get("id").asText()).toList();
        }

        CosmosChangeFeedRequestOptions next() {
            return CosmosChangeFeedRequestOptions.createForProcessingFromContinuation(continuation);
        }
    }

    /** Reads until a pass brings nothing new. */
    private static Reading drain(CosmosContainer container, CosmosChangeFeedRequestOptions start) {
        List<JsonNode> found = new ArrayList<>();
        CosmosChangeFeedRequestOptions options = start;
        while (true) {
            String next = null;
            int before = found.size();
            for (FeedResponse<JsonNode> page : container.queryChangeFeed(options, JsonNode.class).iterableByPage()) {
                found.addAll(page.getResults());
                next = page.getContinuationToken();
            }
            if (found.size() == before) return new Reading(found, next);
            options = CosmosChangeFeedRequestOptions.createForProcessingFromContinuation(next);
        }
    }

    private static CosmosChangeFeedRequestOptions beginning(FeedRange range) {
        return CosmosChangeFeedRequestOptions.createForProcessingFromBeginning(range);
    }

    private static CosmosChangeFeedRequestOptions now(FeedRange range) {
        return CosmosChangeFeedRequestOptions.createForProcessingFromNow(range);
    }

    private static List<String> numbered(int from, int to) {
        List<String> ids = new ArrayList<>();
        for (int i = from; i < to; i++) ids.add("a" + i);
        return ids.stream().sorted().toList();
    }

    static void define() {
        World.check("feed ranges: one for 400 RU, three for 30,000", () -> {
            World.equal(World.container(400).getFeedRanges().size(), 1);
            World.equal(World.container(30000).getFeedRanges().size(), 3);
        });
        World.check("feed ranges: read back from their text they are the same", () -> {
            CosmosContainer container = World.filled(30000);
            List<String> seen = new ArrayList<>();
            for (FeedRange range : container.getFeedRanges()) {
                seen.addAll(drain(container, beginning(FeedRange.fromString(range.toString()))).ids());
            }
            World.equal(seen.stream().sorted().toList(), numbered(0, 20));
        });
        World.check("feed ranges: two after a split", () -> {
            CosmosContainer container = World.filled(400);
            World.split(container);
            // The client that made the container keeps its ranges until it meets the split.
            World.query(container, "SELECT * FROM c");
            World.equal(container.getFeedRanges().size(), 2);
        });
        World.check("change feed: from the beginning, in the order of writes", () -> {
            List<String> ids = drain(World.filled(400), beginning(ALL)).ids();
            List<String> expected = new ArrayList<>();
            for (int i = 0; i < 20; i++) expected.add("a" + i);
            World.equal(ids, expected);
        });
        World.check("change feed: from the beginning over three ranges", () ->
            World.equal(drain(World.filled(30000), beginning(ALL)).ids().stream().sorted().toList(), numbered(0, 20)));
        World.check("change feed: pages of three", () -> {
            int largest = 0;
            for (FeedResponse<JsonNode> page : World.filled(400).queryChangeFeed(beginning(ALL).setMaxItemCount(3), JsonNode.class).iterableByPage()) {
                largest = Math.max(largest, page.getResults().size());
            }
            World.equal(largest, 3);
        });
        World.check("change feed: every feed range by itself", () -> {
            CosmosContainer container = World.filled(30000);
            List<String> seen = new ArrayList<>();
            for (FeedRange range : container.getFeedRanges()) seen.addAll(drain(container, beginning(range)).ids());
            World.equal(seen.stream().sorted().toList(), numbered(0, 20));
        });
        World.check("change feed: of one partition key", () -> {
            FeedRange range = FeedRange.forLogicalPartition(new PartitionKey("k2"));
            World.equal(drain(World.filled(20000), beginning(range)).ids(), "[a2, a8, a14]");
        });
        World.check("change feed: an item changed twice shows its latest version, once and last", () -> {
            CosmosContainer container = World.filled(400);
            container.upsertItem(World.item("a3", "k3", 100));
            container.upsertItem(World.item("a3", "k3", 200));
            List<JsonNode> documents = drain(container, beginning(ALL)).documents();
            JsonNode last = documents.get(documents.size() - 1);
            World.equal(documents.size() + " " + last.get("id").asText() + " " + last.get("n").asInt(), "20 a3 200");
        });
        World.check("change feed: a deleted item is not in it", () -> {
            CosmosContainer container = World.filled(400);
            container.deleteItem("a3", new PartitionKey("k3"), new CosmosItemRequestOptions());
            List<String> ids = drain(container, beginning(ALL)).ids();
            World.equal(ids.size() + " " + ids.contains("a3"), "19 false");
        });
        World.check("change feed: from now, then what is new", () -> {
            CosmosContainer container = World.filled(400);
            Reading empty = drain(container, now(ALL));
            World.equal(empty.ids(), "[]");
            container.createItem(World.item("new", "x", 1));
            World.equal(drain(container, empty.next()).ids(), "[new]");
        });
        World.check("change feed: from now of one partition key sees no other", () -> {
            CosmosContainer container = World.filled(20000);
            Reading empty = drain(container, now(FeedRange.forLogicalPartition(new PartitionKey("k2"))));
            container.createItem(World.item("other", "k1", 1));
            container.createItem(World.item("own", "k2", 1));
            World.equal(drain(container, empty.next()).ids(), "[own]");
        });
        World.check("change feed: from a point in time", () -> {
            CosmosContainer container = World.filled(400);
            Thread.sleep(1100);
            Instant since = Instant.now();
            Thread.sleep(1000);
            container.createItem(World.item("late", "x", 1));
            World.equal(drain(container, CosmosChangeFeedRequestOptions.createForProcessingFromPointInTime(since, ALL)).ids(), "[late]");
        });
        World.check("change feed: a continuation goes on where it was, for every range", () -> {
            CosmosContainer container = World.filled(30000);
            Reading first = drain(container, beginning(ALL));
            for (int i = 20; i < 30; i++) container.createItem(World.item("a" + i, "k" + i % 6, i));
            Reading second = drain(container, first.next());
            World.equal(second.ids().stream().sorted().toList(), numbered(20, 30));
            World.equal(drain(container, second.next()).ids(), "[]");
        });
        World.check("change feed: goes on after a split, nothing lost and nothing twice", () -> {
            CosmosContainer container = World.filled(400);
            Reading first = drain(container, beginning(ALL));
            World.split(container);
            for (int i = 20; i < 30; i++) container.createItem(World.item("a" + i, "k" + i % 6, i));
            World.equal(drain(container, first.next()).ids().stream().sorted().toList(), numbered(20, 30));
        });
        World.check("change feed: of a feed range that was split afterwards", () -> {
            CosmosContainer container = World.filled(400);
            FeedRange before = container.getFeedRanges().get(0);
            World.split(container);
            TreeSet<String> seen = new TreeSet<>(drain(container, beginning(before)).ids());
            World.equal(new ArrayList<>(seen), numbered(0, 20));
        });
        World.check("change feed: of one partition key after a split", () -> {
            CosmosContainer container = World.filled(400);
            Reading first = drain(container, beginning(FeedRange.forLogicalPartition(new PartitionKey("k2"))));
            World.equal(first.ids(), "[a2, a8, a14]");
            World.split(container);
            container.createItem(World.item("a20", "k2", 20));
            container.createItem(World.item("a21", "k3", 21));
            World.equal(drain(container, first.next()).ids(), "[a20]");
        });
    }
}
