import { registerHooks } from "node:module";
import { isOutside } from "./test-needs.ts";

// Loaded before the unit tests: what they are is read from their imports, and this refuses what the reading missed.

const OURS = new URL("../../", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const by = context.parentURL ?? "";
    // Packages may have parts that a test never runs.
    if (isOutside(specifier) && by.startsWith(OURS) && !by.startsWith(`${OURS}node_modules/`)) {
      throw new Error(
        `Expected a unit test to stay in its process, and ${by.slice(OURS.length)} loads \`${specifier}\`: import it by ` +
          "its name in a statement, and test/support/test-needs.ts takes the file for no unit test.",
      );
    }
    return next(specifier, context);
  },
});

globalThis.fetch = () => Promise.reject(new Error("Expected a unit test to fetch nothing"));
