import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.models.*;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Many items at once: transactional batches, bulk, read many. */
final class Batches {
    private static final PartitionKey X = new PartitionKey("x");

    private Batches() {}

    private static List<Integer> codes(CosmosBatchResponse response) {
        return response.getResults().stream().map(CosmosBatchOperationResult::getStatusCode).toList();
    }

    /** How many operations of a bulk ended with which status. */
    private static Map<Integer, Integer> bulk(CosmosContainer container, List<CosmosItemOperation> operations) {
        Map<Integer, Integer> codes = new TreeMap<>();
        for (CosmosBulkOperationResponse<Object> one : container.executeBulkOperations(operations)) {
            codes.merge(one.getResponse() == null ? 0 : one.getResponse().getStatusCode(), 1, Integer::sum);
        }
        return codes;
    }

    static void define() {
        World.check("batch: every kind of operation", () -> {
            CosmosContainer container = World.container(400);
            container.createItem(World.item("old", "x", 1));
            CosmosBatch batch = CosmosBatch.createCosmosBatch(X);
            batch.createItemOperation(World.item("new", "x", 1));
            batch.upsertItemOperation(World.item("up", "x", 2));
            batch.readItemOperation("old");
            batch.patchItemOperation("old", CosmosPatchOperations.create().increment("/n", 1));
            batch.replaceItemOperation("new", World.item("new", "x", 5));
            batch.deleteItemOperation("up");
            CosmosBatchResponse response = container.executeCosmosBatch(batch);
            World.equal(codes(response), "[201, 201, 200, 200, 200, 204]");
            World.equal(response.getResults().get(2).getItem(JsonNode.class).get("n").asInt(), 1);
            World.equal(World.read(container, "old", "x").get("n").asInt() + World.read(container, "new", "x").get("n").asInt(), 7);
        });
        World.check("batch: one failure rolls all back: 424 around its 409", () -> {
            CosmosContainer container = World.container(400);
            container.createItem(World.item("old", "x", 1));
            CosmosBatch batch = CosmosBatch.createCosmosBatch(X);
            batch.createItemOperation(World.item("new", "x", 1));
            batch.createItemOperation(World.item("old", "x", 2));
            batch.upsertItemOperation(World.item("last", "x", 3));
            CosmosBatchResponse response = container.executeCosmosBatch(batch);
            World.equal(response.isSuccessStatusCode() + " " + codes(response), "false [424, 409, 424]");
            World.fails(404, () -> World.read(container, "new", "x"));
        });
        World.check("batch: an old etag inside is 412 and rolls back", () -> {
            CosmosContainer container = World.container(400);
            String etag = container.createItem(World.item("old", "x", 1)).getETag();
            container.upsertItem(World.item("old", "x", 2));
            CosmosBatch batch = CosmosBatch.createCosmosBatch(X);
            batch.createItemOperation(World.item("new", "x", 1));
            batch.replaceItemOperation("old", World.item("old", "x", 3), new CosmosBatchItemRequestOptions().setIfMatchETag(etag));
            World.equal(codes(container.executeCosmosBatch(batch)), "[424, 412]");
            World.fails(404, () -> World.read(container, "new", "x"));
        });
        World.check("bulk: 100 creates over three ranges", () -> {
            CosmosContainer container = World.container(30000);
            List<CosmosItemOperation> operations = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                String pk = "k" + i % 20;
                operations.add(CosmosBulkOperations.getCreateItemOperation(World.item("b" + i, pk, i), new PartitionKey(pk)));
            }
            World.equal(bulk(container, operations), "{201=100}");
            World.equal(World.query(container, "SELECT VALUE COUNT(1) FROM c").get(0).asInt(), 100);
        });
        World.check("bulk: every kind of operation, and failures that stop no other", () -> {
            CosmosContainer container = World.filled(20000);
            List<CosmosItemOperation> operations = List.of(
                CosmosBulkOperations.getCreateItemOperation(World.item("new", "k0", 1), new PartitionKey("k0")),
                CosmosBulkOperations.getCreateItemOperation(World.item("a1", "k1", 1), new PartitionKey("k1")),
                CosmosBulkOperations.getUpsertItemOperation(World.item("a2", "k2", 99), new PartitionKey("k2")),
                CosmosBulkOperations.getReplaceItemOperation("a3", World.item("a3", "k3", 99), new PartitionKey("k3")),
                CosmosBulkOperations.getPatchItemOperation("a4", new PartitionKey("k4"), CosmosPatchOperations.create().set("/n", 99)),
                CosmosBulkOperations.getReadItemOperation("a5", new PartitionKey("k5")),
                CosmosBulkOperations.getDeleteItemOperation("a6", new PartitionKey("k0")),
                CosmosBulkOperations.getDeleteItemOperation("none", new PartitionKey("k0")));
            World.equal(bulk(container, operations), "{200=4, 201=1, 204=1, 404=1, 409=1}");
            World.equal(World.query(container, "SELECT VALUE COUNT(1) FROM c WHERE c.n = 99").get(0).asInt(), 3);
        });
        World.check("read many: items of several partitions, a missing one left out", () -> {
            CosmosContainer container = World.filled(20000);
            List<CosmosItemIdentity> wanted = List.of(
                new CosmosItemIdentity(new PartitionKey("k1"), "a1"),
                new CosmosItemIdentity(new PartitionKey("k1"), "a7"),
                new CosmosItemIdentity(new PartitionKey("k2"), "a2"),
                new CosmosItemIdentity(new PartitionKey("k2"), "none"));
            List<String> found = container.readMany(wanted, JsonNode.class).getResults().stream().map(one -> one.get("id").asText()).sorted().toList();
            World.equal(found, "[a1, a2, a7]");
        });
        World.check("read all: every item of one partition", () -> {
            List<String> found = new ArrayList<>();
            World.filled(20000).readAllItems(new PartitionKey("k2"), JsonNode.class).forEach(one -> found.add(one.get("id").asText()));
            World.equal(found, "[a2, a8, a14]");
        });
    }
}
