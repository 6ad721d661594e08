import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.CosmosDatabase;
import com.azure.cosmos.CosmosException;
import com.azure.cosmos.models.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What checks share: one database, containers made as needed, and ways to say what is expected. */
final class World {
    interface Check {
        void run() throws Exception;
    }

    static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Check> CHECKS = new LinkedHashMap<>();
    static CosmosDatabase database;
    /** Address of the admin server, for splits. */
    static String admin;
    private static int made;

    private World() {}

    static void check(String name, Check check) {
        if (CHECKS.put(name, check) != null) throw new IllegalStateException("two checks named " + name);
    }

    static Map<String, Check> checks() {
        return CHECKS;
    }

    static CosmosContainer container(int throughput) {
        return container(new CosmosContainerProperties("c" + ++made, "/pk"), throughput);
    }

    static CosmosContainer container(CosmosContainerProperties properties, int throughput) {
        database.createContainer(properties, ThroughputProperties.createManualThroughput(throughput));
        return database.getContainer(properties.getId());
    }

    static CosmosContainerProperties properties(String path) {
        return new CosmosContainerProperties("c" + ++made, path);
    }

    static CosmosContainer hierarchical(int throughput, String... paths) {
        PartitionKeyDefinition key = new PartitionKeyDefinition();
        key.setKind(PartitionKind.MULTI_HASH).setVersion(PartitionKeyDefinitionVersion.V2).setPaths(List.of(paths));
        return container(new CosmosContainerProperties("c" + ++made, key), throughput);
    }

    static ObjectNode item(String id, String pk, double n) {
        return JSON.createObjectNode().put("id", id).put("pk", pk).put("n", n);
    }

    /** Twenty items a0…a19 in six partitions: k0…k5. */
    static CosmosContainer filled(int throughput) {
        CosmosContainer container = container(throughput);
        for (int i = 0; i < 20; i++) container.createItem(item("a" + i, "k" + i % 6, i));
        return container;
    }

    static JsonNode read(CosmosContainer container, String id, String pk) {
        return container.readItem(id, new PartitionKey(pk), JsonNode.class).getItem();
    }

    static void equal(Object found, Object expected) {
        if (!String.valueOf(found).equals(String.valueOf(expected))) throw new AssertionError("found " + found + ", expected " + expected);
    }

    static CosmosException fails(int status, Check work) throws Exception {
        try {
            work.run();
        } catch (CosmosException error) {
            equal(error.getStatusCode(), status);
            return error;
        }
        throw new AssertionError("expected " + status + ", nothing was thrown");
    }

    static List<JsonNode> query(CosmosContainer container, String sql) {
        return query(container, new SqlQuerySpec(sql), new CosmosQueryRequestOptions());
    }

    static List<JsonNode> query(CosmosContainer container, SqlQuerySpec sql, CosmosQueryRequestOptions options) {
        List<JsonNode> rows = new ArrayList<>();
        container.queryItems(sql, options, JsonNode.class).forEach(rows::add);
        return rows;
    }

    static void split(CosmosContainer container) throws Exception {
        URI address = URI.create(admin + "/api/containers/" + database.getId() + "/" + container.getId() + "/split");
        HttpRequest request = HttpRequest.newBuilder(address)
            .header("content-type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString("{}"))
            .build();
        equal(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).statusCode(), 200);
    }
}
