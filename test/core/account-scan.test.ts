import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  isAnswered,
  LEAST_BETWEEN_SCANS_MS,
  lookAgainAt,
  nextScanAt,
  type ScanFacts,
  type ScanProspect,
} from "../../src/core/account-scan.ts";

const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

describe("a scan for those who cannot be asked for", () => {
  const CASES: Readonly<Record<string, readonly [facts: Partial<ScanFacts>, at: number | undefined]>> = {
    "is not made where nobody wants one": [{}, undefined],
    "is not made again where nobody wants one": [{ scannedAt: NOW }, undefined],
    "is made at once where there was none and somebody is looked for": [{ wantedSince: NOW }, 0],
    "is made at once where there was none and one is to be there": [{ rescanMs: HOUR_MS }, 0],
    "is made again when the last one is too old": [{ scannedAt: NOW, rescanMs: HOUR_MS }, NOW + HOUR_MS],
    "is made ten minutes after the last one for who came since": [
      { scannedAt: NOW, wantedSince: NOW + 1, rescanMs: HOUR_MS },
      NOW + LEAST_BETWEEN_SCANS_MS,
    ],
    "is not made for whom the last one would have seen": [{ scannedAt: NOW, wantedSince: NOW }, undefined],
  };
  for (const [name, [facts, at]] of Object.entries(CASES)) {
    test(name, () => {
      const none = { scannedAt: undefined, wantedSince: undefined, rescanMs: undefined };
      assert.equal(nextScanAt({ ...none, ...facts }), at);
    });
  }

  test("answers for who came before it began", () => {
    assert.deepEqual(
      [undefined, NOW - 1, NOW, NOW + 1].map((scannedAt) => isAnswered(scannedAt, NOW)),
      [false, false, true, true],
    );
  });
});

describe("who waits for a scan", () => {
  const CASES: Readonly<Record<string, readonly [prospect: ScanProspect, inMs: number]>> = {
    "is looked at when it should have ended": [
      { beginsAt: NOW + 60_000, isUnderWay: false, expectedMs: 5_000 },
      65_000,
    ],
    "is looked at when it should have ended that can begin now": [
      { beginsAt: 0, isUnderWay: false, expectedMs: 5_000 },
      5_000,
    ],
    "is looked at a second later where it takes no time": [{ beginsAt: 0, isUnderWay: false, expectedMs: 10 }, 1_000],
    "is looked at when it should have ended that is under way": [
      { beginsAt: NOW - 4_000, isUnderWay: true, expectedMs: 50_000 },
      46_000,
    ],
    "is looked at after a part of what it took, where it takes longer": [
      { beginsAt: NOW - 80_000, isUnderWay: true, expectedMs: 50_000 },
      20_000,
    ],
    "is looked at a minute later where it takes much longer": [
      { beginsAt: NOW - HOUR_MS, isUnderWay: true, expectedMs: 50_000 },
      60_000,
    ],
    "is looked at a second later where it should end now": [
      { beginsAt: NOW - 2_000, isUnderWay: true, expectedMs: 2_000 },
      1_000,
    ],
  };
  for (const [name, [prospect, inMs]] of Object.entries(CASES)) {
    test(name, () => assert.equal(lookAgainAt(prospect, NOW) - NOW, inMs));
  }
});
