/** Situations, made up and public: which plans the guards stop as they are by default, and which they let pass. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ListedUser } from "../../src/core/comparison.ts";
import { guardSentence } from "../../src/core/guards.ts";
import type { UnitValue } from "../../src/core/unit.ts";
import { openPlanStage, STAFF, type PlanFacts } from "./plan-stage.ts";

type Row = Readonly<Record<string, string>>;

interface Situation {
  readonly title: string;
  /** Users of the pool, u0 and so on, each as the function says. */
  readonly pool: number;
  readonly has?: (nth: number) => Row;
  /** Rows, the first of them of u0; a blank value clears. */
  readonly rows: number;
  readonly says: (nth: number) => Row;
  readonly stage?: Partial<PlanFacts>;
  readonly rowsBefore?: number;
  /** The guards that stop it, each with its attribute. */
  readonly stops: readonly string[];
  /** Whose row it is, where it is not u0's and so on. */
  readonly names?: (nth: number) => string;
}

/** One of so many, by turns. */
const oneOf =
  (many: number, name = "D") =>
  (nth: number): string =>
    `${name}${nth % many}`;
const department = (value: string): Row => ({ "custom:id": value });
const FEW: Partial<PlanFacts> = { unlisted: "write" };

const situations: readonly Situation[] = [
  // Wrong files.
  {
    title: "999 rows give everybody one department",
    pool: 999,
    has: (nth) => department(oneOf(12)(nth)),
    rows: 999,
    says: () => department("Sales"),
    stops: ["changed", "sameValue custom:id"],
  },
  {
    title: "12 rows give everybody one of three departments",
    pool: 12,
    has: (nth) => department(oneOf(3)(nth)),
    rows: 12,
    says: () => department("Sales"),
    stops: ["sameValue custom:id"],
  },
  {
    title: "150 rows give everybody one placeholder",
    pool: 150,
    has: (nth) => department(oneOf(9)(nth)),
    rows: 150,
    says: () => department("UNASSIGNED"),
    stops: ["changed", "sameValue custom:id", "shape custom:id"],
  },
  {
    title: "20 rows give everybody one placeholder, whose departments were two",
    pool: 20,
    has: (nth) => department(oneOf(2)(nth)),
    rows: 20,
    says: () => department("TBD"),
    stops: ["shape custom:id"],
  },
  {
    title: "60 users lose two columns",
    pool: 60,
    has: () => ({ nickname: "N", given_name: "G" }),
    rows: 60,
    says: () => ({ nickname: "", given_name: "" }),
    stops: ["changed", "cleared given_name", "cleared nickname"],
  },
  {
    title: "12 users lose a column",
    pool: 12,
    has: () => ({ nickname: "N" }),
    rows: 12,
    says: () => ({ nickname: "" }),
    stops: ["cleared nickname"],
  },
  {
    title: "150 rows of a small file match nobody",
    pool: 150,
    rows: 150,
    says: () => ({ nickname: "N" }),
    names: (nth) => `other${nth}`,
    stage: FEW,
    stops: ["unmatched"],
  },
  {
    title: "1,200 rows of a large file match nobody",
    pool: 150,
    rows: 1200,
    says: () => ({ nickname: "N" }),
    names: (nth) => `other${nth}`,
    stops: ["unmatched"],
  },
  {
    title: "a third of 60 rows match nobody",
    pool: 40,
    rows: 60,
    says: () => ({}),
    stage: FEW,
    stops: ["unmatched"],
  },
  {
    title: "a column of dates is exported as 0000-00-00",
    pool: 40,
    has: (nth) => department(`2020-01-${10 + (nth % 20)}`),
    rows: 40,
    says: (nth) => department(nth < 8 ? "0000-00-00" : `2020-01-${10 + (nth % 20)}`),
    stops: ["shape custom:id"],
  },
  {
    title: "a column is shifted, so that 80 users get each other's",
    pool: 80,
    has: (nth) => ({ nickname: `n${nth}` }),
    rows: 80,
    says: (nth) => ({ nickname: `n${nth + 1}` }),
    stops: ["changed"],
  },

  // Days like any other.
  {
    title: "nothing changes",
    pool: 500,
    has: () => ({ nickname: "N" }),
    rows: 500,
    says: () => ({ nickname: "N" }),
    stops: [],
  },
  {
    title: "30 of 30 users in a file of changes get another name",
    pool: 500,
    has: (nth) => ({ given_name: `Old${nth}` }),
    rows: 30,
    says: (nth) => ({ given_name: `New${nth}` }),
    stops: [],
  },
  {
    title: "30 people of two departments are put together",
    pool: 500,
    has: (nth) => department(oneOf(2)(nth)),
    rows: 30,
    says: () => department("New"),
    stops: [],
  },
  {
    title: "40 users get a first value that is the same for all",
    pool: 40,
    rows: 40,
    says: () => department("Acme"),
    stops: [],
  },
  {
    title: "four who left lose their number",
    pool: 60,
    has: () => ({ nickname: "N" }),
    rows: 60,
    says: (nth) => ({ nickname: nth < 4 ? "" : "N" }),
    stops: [],
  },
  {
    title: "newcomers have no department yet",
    pool: 400,
    has: (nth) => department(nth < 8 ? "" : oneOf(9)(nth)),
    rows: 400,
    says: (nth) => department(nth < 8 ? "TBD" : oneOf(9)(nth)),
    stops: [],
  },
  {
    title: "what was a placeholder is another, and what was one stays",
    pool: 40,
    has: () => department("N/A"),
    rows: 40,
    says: (nth) => department(nth < 20 ? "TBD" : "N/A"),
    stops: [],
  },
  {
    title: "nine newcomers whom the pool does not list yet",
    pool: 500,
    rows: 9,
    says: () => ({ nickname: "N" }),
    names: (nth) => `new${nth}`,
    stage: FEW,
    stops: [],
  },
  {
    title: "a list of changes that is shorter than yesterday's",
    pool: 500,
    rows: 12,
    says: (nth) => ({ nickname: `N${nth}` }),
    rowsBefore: 30,
    stops: [],
  },

  // Of public projects.
  {
    title: "everybody is gone from the directory (owncloud/core#29547)",
    pool: 300,
    has: () => ({ nickname: "N" }),
    rows: 30,
    says: () => ({ nickname: "N" }),
    rowsBefore: 300,
    stops: ["rows"],
  },
  {
    title: "a server that is not reached gives a list of nobody instead of 43 (opnsense/core#10128)",
    pool: 43,
    rows: 0,
    says: () => ({}),
    rowsBefore: 43,
    stops: ["rows"],
  },
  {
    title: "a setting left blank wipes every department (grokability/snipe-it#13373)",
    pool: 25,
    has: (nth) => department(oneOf(4)(nth)),
    rows: 25,
    says: () => department(""),
    stops: ["cleared custom:id"],
  },
  {
    title: "a sync removes employee numbers that another import gave (grokability/snipe-it#9262)",
    pool: 200,
    has: (nth) => department(nth < 20 ? `E${nth}` : ""),
    rows: 200,
    says: () => department(""),
    stops: ["cleared custom:id"],
  },
  {
    title: "every location becomes the default one (grokability/snipe-it#7863)",
    pool: 45,
    has: (nth) => department(oneOf(6, "City ")(nth)),
    rows: 45,
    says: () => department("Head office"),
    stops: ["sameValue custom:id"],
  },
  {
    title: "start dates become 0000-00-00 (grokability/snipe-it#14068)",
    pool: 30,
    rows: 30,
    says: () => department("0000-00-00"),
    stops: ["shape custom:id"],
  },
];

describe("the guards", () => {
  const stage = openPlanStage();
  before(() => stage.open());
  after(() => stage.close());

  for (const { title, pool, has, rows, says, stage: facts, rowsBefore, stops, names } of situations) {
    test(`${stops.length === 0 ? "let pass" : "stop"}: ${title}`, async () => {
      const people = Array.from({ length: pool }, (_, nth) => person(`u${nth}`, has?.(nth) ?? {}));
      const read = Array.from({ length: rows }, (_, nth) => row(names?.(nth) ?? `u${nth}`, says(nth)));
      const { broken } = await stage.plan(read, {
        pool: people,
        ...facts,
        ...(rowsBefore === undefined ? {} : { rowsBefore }),
      });
      assert.deepEqual(
        broken.map(({ guard, attribute }) => [guard, attribute].join(" ").trim()),
        stops,
        broken.map(guardSentence).join(" "),
      );
    });
  }

  test("have examples of what they stop", async () => {
    const people = Array.from({ length: 20 }, (_, nth) => person(`u${nth}`, { nickname: "TBD", given_name: "G" }));
    const read = Array.from({ length: 40 }, (_, nth) => row(`u${nth}`, { given_name: "TBD", nickname: "N/A" }));
    const { broken, figures } = await stage.plan(read, { pool: people, ...FEW });
    const [shape, , unmatched] = broken;
    assert.deepEqual(
      broken.map(({ guard, attribute, count, of }) => [guard, attribute, count, of]),
      [
        ["shape", "given_name", 40, 40],
        ["shape", "nickname", 20, 40],
        ["unmatched", undefined, 20, 40],
      ],
    );
    assert.ok(shape?.examples.length === 10 && shape.examples.every(({ attribute }) => attribute === "given_name"));
    assert.ok(
      unmatched?.examples.length === 10 && unmatched.examples.every(({ username }) => /u[23]\d/.test(username)),
    );
    assert.equal(figures.unlisted, 20);
  });

  test("count a user whom the pool does not list for neither those who match nor those who change", async () => {
    const people = Array.from({ length: 50 }, (_, nth) => person(`u${nth}`, { nickname: "Old" }));
    const known = people.map(({ username }) => row(username, { nickname: "New" }));
    // All that their rows say is wrong, so that nothing of them is sent.
    const others = Array.from({ length: 20 }, (_, nth) => row(`other${nth}`, { nobody: "knows" }));
    const { broken } = await stage.plan([...known, ...others], { pool: people, ...FEW });
    assert.deepEqual(
      broken.map(({ guard, count, of }) => [guard, count, of]),
      [["changed", 50, 50]],
    );
  });

  test("count the worst of users whom the pool does not list: all of it where looks may miss them", async () => {
    const people = Array.from({ length: 71 }, (_, nth) => person(`u${nth}`, { nickname: "Old" }));
    const known = people.map(({ username }) => row(username, { nickname: "Old" }));
    const rowsOf = (says: Row) => Array.from({ length: 29 }, (_, nth) => row(`other${nth}`, says));
    const brokenBy = async (says: Row, more: Partial<PlanFacts>) => {
      const guards = { least: 10 };
      const { broken } = await stage.plan([...known, ...rowsOf(says)], { pool: people, guards, ...FEW, ...more });
      return broken.map(({ guard, count, of, examples }) => [guard, count, of, examples.length]);
    };
    const missed = { oneByOne: true, profile: { ...STAFF, caseSensitive: false } };
    const changed = ["changed", 29, 100, 10];
    for (const [says, always] of [
      [{ given_name: "" }, ["cleared", 29, 100, 10]],
      [{ given_name: "TBD" }, ["shape", 29, 100, 10]],
    ] as const) {
      assert.deepEqual(await brokenBy(says, {}), [always]);
    }
    assert.deepEqual(await brokenBy({ given_name: "" }, missed), [changed, ["cleared", 29, 100, 10]]);
    assert.deepEqual(await brokenBy({ given_name: "Sales" }, {}), []);
    assert.deepEqual(await brokenBy({ given_name: "Sales" }, missed), [changed, ["sameValue", 29, 29, 10]]);
  });

  test("say which of them could not look, and stop a hundred users whom nobody looked at", async () => {
    const read = (users: number) => Array.from({ length: users }, (_, nth) => row(`u${nth}`, { nickname: "N" }));
    const of = async (users: number, baseline: "none" | "ledger") => {
      const { blind, broken } = await stage.plan(read(users), { baseline });
      return [blind, broken.map(({ guard }) => guard)];
    };
    const [none, ledger] = [
      ["changed", "cleared", "sameValue", "unmatched"],
      ["cleared", "sameValue", "unmatched"],
    ];
    assert.deepEqual(await of(49, "none"), [none, []]);
    assert.deepEqual(await of(49, "ledger"), [ledger, []]);
    assert.deepEqual(await of(100, "none"), [none, ["blind"]]);
    assert.deepEqual(await of(100, "ledger"), [ledger, ["changed", "blind"]]);
    const { blind } = await stage.plan(read(1), { pool: [person("u0", {})] });
    assert.deepEqual(blind, []);
  });
});

function row(username: string, values: Row) {
  const units = Object.entries(values).map(([name, text]) => {
    const value: UnitValue = text === "" ? { kind: "clear" } : { kind: "text", text };
    return { name, value };
  });
  return {
    kind: "change",
    line: 2,
    invalid: [],
    change: { username, units, version: { timeMs: 1, sequence: 0 } },
  } as const;
}

function person(username: string, attributes: Row): ListedUser {
  const said = Object.entries({ sub: `sub-${username}`, ...attributes }).filter(([, value]) => value !== "");
  return { username, sub: `sub-${username}`, createdAt: 0, status: "CONFIRMED", attributes: new Map(said) };
}
