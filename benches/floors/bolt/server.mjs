// The usual way to write a Slack bot: acknowledges a slash command after one durable row in SQLite.
import bolt from "@slack/bolt";
import Database from "better-sqlite3";

const database = new Database("bolt.db");
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");
database.exec("CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT");
const insert = database.prepare("INSERT INTO note (body) VALUES (?)");

const app = new bolt.App({
  signingSecret: process.env.SLACK_SIGNING_SECRET,
  authorize: async () => ({ botToken: "xoxb-none", botId: "B0", botUserId: "U0" }),
  logLevel: bolt.LogLevel.ERROR,
});
app.command("/incident", async ({ command, ack }) => {
  insert.run(command.text);
  await ack();
});
await app.start({ port: Number(process.env.PORT), host: "127.0.0.1" });
