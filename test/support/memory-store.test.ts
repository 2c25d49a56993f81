import { mailboxSuite } from "../suites/mailboxes.ts";
import { openMemoryStore } from "./memory-store.ts";

mailboxSuite("in memory", async () => openMemoryStore());
