import { storeSuite } from "../suites/store.ts";
import { openMemoryStore } from "./memory-store.ts";

storeSuite("in memory", async () => openMemoryStore(), "moved");
