import { defineConfig } from "oxlint";

/** The rooms of src from the bottom up, and what each may import besides itself. Whoever is not listed it may not. */
const below = ["core", "store", "feeds", "cognito", "queues"];
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  store: ["core"],
  feeds: ["core", "store"],
  cognito: ["core", "store", "feeds"],
  queues: ["core", "store"],
  delivery: below,
  plan: [...below, "delivery"],
  // Of cognito only how AWS's own configuration files are read.
  config: ["core", "feeds", "cognito"],
  http: [],
  app: [...below, "delivery", "plan", "config", "http"],
  views: ["core", "store", "plan", "app"],
  ingest: [...below, "delivery", "plan", "config", "http", "app", "views"],
  emulator: ["core"],
  cli: [...below, "delivery", "plan", "config", "http", "app", "views", "emulator"],
};
const rooms = Object.keys(ROOMS);

// Packages that have one home. Anywhere else they would tie a room to a technology that it should not know.
const homes = [
  { regex: "^bullmq(/|$)", message: "BullMQ lives in src/queues.", at: ["src/queues"] },
  {
    regex: "^ioredis(/|$)",
    message: "ioredis lives in src/queues and src/store/redis.",
    at: ["src/queues", "src/store/redis"],
  },
  {
    regex: "^@electric-sql/",
    message: "PGlite lives in src/queues and src/store/postgres.",
    at: ["src/queues", "src/store/postgres"],
  },
  { regex: "^@(aws-sdk|smithy)/", message: "The AWS SDK lives in src/cognito.", at: ["src/cognito"] },
  { regex: "^undici$", message: "undici lives in src/cognito and src/feeds.", at: ["src/cognito", "src/feeds"] },
  { regex: "^(hono|@hono)(/|$)", message: "hono lives in src/ingest.", at: ["src/ingest"] },
  { regex: "^saxes$", message: "saxes lives in src/ingest.", at: ["src/ingest"] },
  { regex: "^(commander|cli-progress)$", message: "The command line lives in src/cli.", at: ["src/cli"] },
];

const nodeProcess = {
  name: "node:process",
  message: "Use the global `process`: src/config/config.ts reads the environment and src/cli prints.",
};
const outsiders = {
  regex: "^(\\.\\./)+(workers|test|bench|demo)/",
  message: "Nothing imports workers, test, bench or demo.",
};
const face = {
  regex: "^\\.{1,2}/([./]*)(src/)?index\\.ts$",
  message: "index.ts is for the library's users: import the file that holds the name.",
};
const printing = ["stdout", "stderr"].map((property) => ({
  object: "process",
  property,
  message: "Only src/cli prints: return it, or log it.",
}));
const ending = ["exit", "exitCode"].map((property) => ({
  object: "process",
  property,
  message: "Only src/cli, src/lifecycle.ts and workers decide when the process ends: throw, or return.",
}));
const environment = {
  object: "process",
  property: "env",
  message: "Only src/config/config.ts reads the environment: take it as an option.",
};
const nodesFetch = {
  name: "fetch",
  message:
    "Node 24's own undici dies of a connection that is closed early (nodejs/undici#5360): give undici's an agent.",
};
const pure = "core is pure, without input or output, clock or randomness: take it as an argument.";

interface Refusal {
  regex: string;
  message: string;
}

type ImportRules = {
  "no-restricted-imports": ["error", { paths: (typeof nodeProcess)[]; patterns: Refusal[] }];
};

/** Refuses the imports that a folder may not have: later overrides replace the whole rule, so each states it all. */
function mayNotImport(folder: string, refusals: Refusal[]): ImportRules {
  const patterns: Refusal[] = homes
    .filter(({ at }) => !at.includes(folder))
    .map(({ regex, message }) => ({ regex, message }));
  return { "no-restricted-imports": ["error", { paths: [nodeProcess], patterns: [...patterns, ...refusals] }] };
}

/** Refuses rooms by their folder's name, at whatever depth the importing file lies. */
function notRooms(names: string[], message: string): Refusal[] {
  return names.length === 0 ? [] : [{ regex: `^(\\.{1,2}/)+(src/)?(${names.join("|")})/`, message }];
}

/** A room looks only at the rooms before it, and at src's own files. */
function roomRules(folder: string, room: string): ImportRules {
  const allowed = ROOMS[room] ?? [];
  const others = rooms.filter((other) => other !== room && !allowed.includes(other));
  const message = `src/${room} may import ${allowed.join(", ") || "no other room"}: docs/architecture.md has the table.`;
  return mayNotImport(folder, [...notRooms(others, message), outsiders, face]);
}

export default defineConfig({
  plugins: ["eslint", "typescript", "unicorn", "oxc", "import", "promise", "node"],
  env: { builtin: true, node: true },
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: "error" },
  ignorePatterns: ["dist"],
  categories: { correctness: "error" },
  rules: {
    eqeqeq: "error",
    "max-lines": ["error", { max: 400 }],
    "no-else-return": "error",
    "no-empty": "error",
    "no-var": "error",
    "prefer-const": "error",
    "preserve-caught-error": "error",
    "import/no-cycle": "error",
    "import/no-default-export": "error",
    "import/no-duplicates": "error",
    "import/no-self-import": "error",
    "unicorn/prefer-node-protocol": "error",
    "unicorn/throw-new-error": "error",
    "typescript/await-thenable": "error",
    "typescript/consistent-type-imports": "error",
    "typescript/no-deprecated": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-floating-promises": [
      "error",
      {
        allowForKnownSafeCalls: [{ from: "package", name: ["test", "it", "describe", "suite"], package: "node:test" }],
      },
    ],
    "typescript/no-misused-promises": "error",
    // Code points are what a name's length is counted in.
    "typescript/no-misused-spread": ["error", { allow: ["string"] }],
    "typescript/no-namespace": "error",
    "typescript/no-non-null-assertion": "error",
    "typescript/no-unnecessary-type-assertion": "error",
    "typescript/no-unsafe-argument": "error",
    "typescript/no-unsafe-assignment": "error",
    "typescript/no-unsafe-call": "error",
    "typescript/no-unsafe-member-access": "error",
    "typescript/no-unsafe-return": "error",
    "typescript/only-throw-error": "error",
    "typescript/parameter-properties": "error",
    "typescript/prefer-promise-reject-errors": "error",
    "typescript/return-await": ["error", "error-handling-correctness-only"],
    "typescript/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    "typescript/unbound-method": "error",
  },
  // The last override that matches wins, so the general ones come first.
  overrides: [
    {
      files: ["src/**"],
      rules: {
        "no-console": "error",
        "no-restricted-globals": ["error", nodesFetch],
        "no-restricted-properties": ["error", environment, ...printing, ...ending],
        "typescript/no-unsafe-type-assertion": "error",
        ...mayNotImport("src", [outsiders, face]),
      },
    },
    { files: ["src/config/config.ts"], rules: { "no-restricted-properties": ["error", ...printing, ...ending] } },
    {
      files: ["src/log.ts", "src/lifecycle.ts", "src/exit-codes.ts"],
      rules: mayNotImport("src", notRooms(rooms, "log.ts, lifecycle.ts and exit-codes.ts stand below every room.")),
    },
    // How a process ends is what it is about.
    { files: ["src/lifecycle.ts"], rules: { "no-restricted-properties": ["error", environment, ...printing] } },
    {
      files: ["src/index.ts"],
      rules: mayNotImport("src", [
        ...notRooms(
          ["cli", "views", "http", "ingest", "emulator"],
          "src/index.ts may import app and the rooms below it.",
        ),
        outsiders,
      ]),
    },
    ...rooms.map((room) => ({ files: [`src/${room}/**`], rules: roomRules(`src/${room}`, room) })),
    ...["redis", "postgres"].map((kind) => ({
      files: [`src/store/${kind}/**`],
      rules: roomRules(`src/store/${kind}`, "store"),
    })),
    {
      files: ["src/core/**"],
      rules: {
        "no-restricted-globals": [
          "error",
          ...["process", "Buffer", "setTimeout", "setInterval", "setImmediate", "fetch", "performance", "crypto"].map(
            (name) => ({ name, message: pure }),
          ),
        ],
        "no-restricted-properties": [
          "error",
          { object: "Date", property: "now", message: pure },
          { object: "Math", property: "random", message: pure },
        ],
        ...mayNotImport("src/core", [
          { regex: "^node:", message: pure },
          { regex: "^(\\.\\./)+[^.]", message: "core imports nothing of the project but core." },
        ]),
      },
    },
    {
      files: ["src/cli/**"],
      rules: { "no-console": "off", "no-restricted-properties": ["error", environment] },
    },
    {
      // It hands over what commands may not know.
      files: ["src/cli/main.ts"],
      rules: mayNotImport("src/cli", [outsiders, face]),
    },
    {
      files: ["src/emulator/**"],
      rules: mayNotImport("src/emulator", [
        ...notRooms(
          rooms.filter((room) => room !== "core"),
          "The emulator imports nothing of the project but core.",
        ),
        {
          regex: "^(\\.\\./)+(log|lifecycle|index)\\.ts$",
          message: "The emulator imports nothing of the project but core.",
        },
        outsiders,
      ]),
    },
    {
      files: ["workers/**"],
      rules: {
        "max-lines": ["error", { max: 60 }],
        "no-restricted-properties": ["error", environment, ...printing],
        ...mayNotImport("workers", [
          ...notRooms(["cli", "views"], "A worker has no terminal: use src/app."),
          { ...outsiders, regex: "^(\\.\\./)+(test|bench|demo)/" },
        ]),
      },
    },
    {
      files: ["demo/**"],
      rules: mayNotImport("demo", notRooms(["cli"], "The demonstration is given the terminal that it types into.")),
    },
    { files: ["*.config.ts"], rules: { "import/no-default-export": "off" } },
    {
      // These are read by a Node that is too old, which is to say so, and have no types.
      files: ["bin/**"],
      rules: {
        "no-var": "off",
        "unicorn/prefer-node-protocol": "off",
        "typescript/no-unsafe-argument": "off",
        "typescript/no-unsafe-assignment": "off",
        "typescript/no-unsafe-call": "off",
        "typescript/no-unsafe-member-access": "off",
      },
    },
  ],
});
