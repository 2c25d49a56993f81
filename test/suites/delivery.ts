import { describe } from "node:test";
import type { Engine } from "../../src/queues/engine.ts";
import { type OpenStage, stageOn } from "../support/delivery-stage.ts";
import { aliasSuite } from "./delivery-aliases.ts";
import { alteredSuite } from "./delivery-altered.ts";
import { contactSuite } from "./delivery-contacts.ts";
import { directSuite } from "./delivery-direct.ts";
import { failureSuite } from "./delivery-failures.ts";
import { fullGateSuite, gateSuite } from "./delivery-gates.ts";
import { holdSuite } from "./delivery-holds.ts";
import { letterSuite } from "./delivery-letters.ts";
import { mannerSuite } from "./delivery-call-options.ts";
import { ownSuite } from "./delivery-token.ts";
import { orderSuite } from "./delivery-order.ts";
import { sharedSuite } from "./delivery-shared.ts";

const SUITES: readonly ((open: OpenStage) => void)[] = [
  holdSuite,
  gateSuite,
  failureSuite,
  contactSuite,
  aliasSuite,
  orderSuite,
  letterSuite,
  directSuite,
  mannerSuite,
  ownSuite,
  alteredSuite,
  sharedSuite,
];

/**
 * What a delivery does, on any engine, against the emulator. Tests run beside each other, because some have to wait
 * for back-offs, probes and quiet intervals that are the product's own.
 */
export function deliverySuite(
  title: string,
  openEngine: () => Promise<{ readonly engine: Engine; close(): Promise<void> }>,
): void {
  describe(title, { concurrency: 16 }, () => {
    const open = stageOn(openEngine);
    for (const suite of SUITES) suite(open);
  });
  describe(`${title}, with many due`, () => {
    fullGateSuite(stageOn(openEngine));
  });
}
