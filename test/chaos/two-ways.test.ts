import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSource, wentBack } from "./two-ways.ts";

describe("a source whose changes go two ways", () => {
  test("exports everybody as they were, with the time of the last change of each", () => {
    const source = createSource(["ann", "bob"], ["given_name"], 1000);
    source.change("ann", "given_name", 5000);
    source.change("ann", "given_name", 5000);
    assert.equal(source.exported(1001), "user,given_name,at\nann,n1,1000\nbob,n2,1001\n");
    assert.equal(source.exported(5000), "user,given_name,at\nann,n3,5000\nbob,n2,1001\n");
    assert.equal(source.exported(9000), "user,given_name,at\nann,n4,5001\nbob,n2,1001\n");
    assert.equal(source.value("ann", "given_name"), "n4");
  });

  test("has gone back where an earlier value was written over a later one", () => {
    const write = (username: string, given_name: string) => ({ username, attributes: { given_name } });
    assert.deepEqual(wentBack([write("ann", "n1"), write("bob", "n4"), write("ann", "n3"), write("ann", "n3")]), []);
    const writes = [write("ann", "n1"), write("ann", "n3"), write("ann", "n2"), write("ann", "n3")];
    assert.deepEqual(wentBack(writes), ["ann given_name: n3, then n2"]);
  });
});
