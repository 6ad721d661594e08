import com.azure.cosmos.ConsistencyLevel;
import com.azure.cosmos.CosmosClient;
import com.azure.cosmos.CosmosClientBuilder;
import com.azure.cosmos.GatewayConnectionConfig;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Checks with Microsoft's Java client over TLS, gateway mode: `Suite ENDPOINT KEY ADMIN`. */
public final class Suite {
    private Suite() {}

    private static CosmosClientBuilder builder(String[] args) {
        return new CosmosClientBuilder()
            .endpoint(args[0])
            .gatewayMode(new GatewayConnectionConfig())
            .consistencyLevel(ConsistencyLevel.SESSION)
            .contentResponseOnWriteEnabled(true);
    }

    public static void main(String[] args) throws Exception {
        List<String> failures = new ArrayList<>();
        try (CosmosClient client = builder(args).key(args[1]).buildClient()) {
            String id = "java-" + UUID.randomUUID();
            client.createDatabaseIfNotExists(id);
            World.database = client.getDatabase(id);
            World.admin = args[2];
            World.check("account: a wrong key is 401", () -> {
                try (CosmosClient other = builder(args).key("d3Jvbmc=").buildClient()) {
                    other.getDatabase(id).read();
                } catch (RuntimeException error) {
                    // This client reads the account while it is made, and wraps what comes back.
                    World.equal(error.getMessage().contains("\"statusCode\":401"), true);
                    return;
                }
                throw new AssertionError("expected 401, nothing was thrown");
            });
            Items.define();
            Batches.define();
            Queries.define();
            Feeds.define();
            for (Map.Entry<String, World.Check> check : World.checks().entrySet()) {
                try {
                    check.getValue().run();
                } catch (Throwable error) {
                    String text = String.valueOf(error);
                    failures.add(check.getKey() + ": " + text.substring(0, Math.min(300, text.length())));
                }
            }
        }
        int total = World.checks().size();
        ObjectNode result = World.JSON.createObjectNode().put("pass", total - failures.size()).put("fail", failures.size());
        result.set("failures", World.JSON.valueToTree(failures));
        System.out.println(result);
        System.exit(0);
    }
}
