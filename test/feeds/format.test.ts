import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkPass } from "../../src/feeds/check-pass.ts";
import { allNames } from "../../src/feeds/columns.ts";
import { FeedError } from "../../src/feeds/feed-error.ts";
import { openFeed } from "../../src/feeds/format.ts";
import { brief, collect, feedError, madeSource, readAll } from "./feed-file.ts";

describe("the format", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["csv", "username,a\nu1,x\n", "csv"],
    ["semicolons", "username;a\nu1;x\n", "csv"],
    ["tabs", "username\ta\nu1\tx\n", "csv"],
    ["a comma in a quoted header", '"username";"a"\nu1;x\n', "csv"],
    ["a spreadsheet's first line", "sep=;\nusername;a\nu1;x\n", "csv"],
    ["ndjson", '{"username":"u1","a":"x"}\n', "ndjson"],
    ["ndjson without a last line end", '{"username":"u1","a":"x"}', "ndjson"],
    ["an array", ' [ {"username":"u1","a":"x"} ] \n', "json-array"],
    ["Workday", '{"Report_Entry":[{"username":"u1","a":"x"}]}', "json-array"],
    ["Workday, indented", '\n{\n  "Report_Entry" : [\n{"username":"u1","a":"x"}\n]\n}\n', "json-array"],
  ];
  for (const [name, content, format] of cases) {
    test(`is recognised by what is in the file: ${name}`, async () => {
      const { checked, records } = await readAll(content);
      assert.equal(checked.format, format);
      assert.deepEqual(checked.columns.names, ["username", "a"]);
      assert.match(brief(records).join(), /^\d: username=u1\|a=x$/);
    });
  }

  test("that is none is refused", async () => {
    await assert.rejects(readAll("<wd:Report_Data/>"), feedError("format", /format=json/));
    await assert.rejects(readAll('{"a" 1}\n{"a":1}\n'), feedError("format", /NDJSON/));
    await assert.rejects(readAll("sep=|\na|b\n1|2\n"), feedError("format"));
  });
});

describe("CSV", () => {
  test("counts the lines of the file, whatever ends them and wherever they are", async () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const content = ["a,b", 'u1,"x', "", 'y"', "", "u2,z", ",", 'u3,"q""q"', "u4,last"].join(end);
      assert.deepEqual(brief((await readAll(content)).records), [
        `2: a=u1|b=x${end}${end}y`,
        "6: a=u2|b=z",
        '8: a=u3|b=q"q',
        "9: a=u4|b=last",
      ]);
    }
  });

  test("makes a row with a wrong number of columns a fault, and goes on", async () => {
    const { checked, records } = await readAll("a,b,c\n1,2\n1,2,3,4\n1,2,3\n1,2,3,\n");
    assert.deepEqual(brief(records), ["2: too-few-columns", "3: too-many-columns", "4: a=1|b=2|c=3", "5: a=1|b=2|c=3"]);
    assert.deepEqual([checked.records, checked.faults], [2, 2]);
  });

  test("makes text behind a closing quote a fault, and keeps a quote amid text", async () => {
    const { records } = await readAll('a,b\n1,"x"y\n2,5" pipe\n"3"," ""q"" "\n"4""",\n5,"x" \n6,ok\n');
    assert.deepEqual(brief(records), [
      "2: bad-quotes",
      '3: a=2|b=5" pipe',
      '4: a=3|b= "q" ',
      '5: a=4"|b=',
      "6: a=5|b=x",
      "7: a=6|b=ok",
    ]);
  });

  test("that ends within quotes is refused with the line", () =>
    assert.rejects(readAll('a,b\n1,2\n2,"x\n3,y\n'), feedError("truncated", /line 3 on/)));

  test("needs a header of names", async () => {
    await assert.rejects(readAll('a,"b"c\n1,2\n'), feedError("columns", /quote/));
    assert.deepEqual((await readAll(" a , b ,,\n1,2,,\n")).checked.columns.names, ["a", "b"]);
  });

  test("may have ten thousand columns", async () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `c${index}`);
    const { records } = await readAll(`${names.join(",")}\n${names.map(() => "x").join(",")}\n`);
    assert.equal(records[0]?.kind === "record" && records[0].fields.size, 10_000);
  });

  test("may call a column like a property of every object", async () => {
    const { records } = await readAll("__proto__,constructor,toString\n1,2,3\n");
    assert.deepEqual(brief(records), ["2: __proto__=1|constructor=2|toString=3"]);
    assert.equal(Object.hasOwn(Object.prototype, "1"), false);
  });
});

describe("JSON", () => {
  const object =
    '{"s":"x","e":"","n":null,"i":7,"b":true,"f":1.50,"big":12345678901234567890,"__proto__":"p","o":{"a":1},"l":[]}';
  const fields = "s=x|e=|n=null|i=7|b=true|f=1.50|big=12345678901234567890|__proto__=p";

  test("keeps absent, null and empty apart, and makes numbers text as they are written", async () => {
    for (const content of [object, `[${object}]`, `{"Report_Entry":[${object}]}`]) {
      const { checked, records } = await readAll(content);
      assert.deepEqual(brief(records), [`1: ${fields}`]);
      const [record] = records;
      assert.deepEqual(record?.kind === "record" && [...(record.nested?.keys() ?? [])], ["o", "l"]);
      assert.deepEqual(allNames(checked.columns).toSorted(), ["__proto__", "b", "big", "e", "f", "i", "n", "o.a", "s"]);
    }
  });

  test("collects the names of all records", async () => {
    const { checked } = await readAll('{"a":1}\n{"b":1,"a":2}\n{"c":[{"d":1}]}\n');
    assert.deepEqual(allNames(checked.columns), ["a", "b", "c[*].d"]);
  });

  test("makes what is no object a fault with its line, and goes on", async () => {
    const faults = ["2: not-json", "3: not-an-object", "4: not-an-object", "6: not-an-object"];
    const good = ["1: a=1", "7: a=}],{"];
    const ndjson = await readAll('{"a":1}\n{"a":}\n[1]\nnull\n\n"x"\n{"a":"}],{"}\n');
    assert.deepEqual(brief(ndjson.records).toSorted(), [...faults, ...good].toSorted());
    const array = await readAll('[{"a":1},\n{"a":},\n[1],\nnull,\n\n"x",\n{"a":"}],{"}\n]\n');
    assert.deepEqual(brief(array.records).toSorted(), [...faults, ...good].toSorted());
  });

  test("reads strings with brackets, quotes and backslashes in pieces of any size", async () => {
    const text = JSON.stringify([{ a: '\\"]},{' }, { b: "\\" }, { c: "é\n" }], undefined, 1);
    const bytes = Buffer.from(text);
    for (let size = 1; size < 20; size++) {
      const feed = await openFeed(
        madeSource(function* () {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        }),
      );
      assert.deepEqual(brief(await collect(feed.records)), ['2: a=\\"]},{', "5: b=\\", "8: c=é\n"]);
    }
  });

  test("with more, less or something else than an array of records is refused", async () => {
    const wrong = ["[{}] {}", "[{},]", "[,{}]", "[{}}]", '{"Report_Entry":[{}]}}', "[{},{}]]", "[:]"];
    for (const content of wrong) await assert.rejects(readAll(content), feedError("format", /JSON/), content);
  });

  test("with too many different names is refused", async () => {
    const lines = Array.from({ length: 20_100 }, (_, index) => `{"k${index}":1}`);
    await assert.rejects(readAll(lines.join("\n")), feedError("columns", /20000 different names/));
  });

  test("may be nested as deep as a record is long", async () => {
    const { records } = await readAll(`{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}\n`);
    assert.deepEqual(brief(records), ["1: "]);
  });
});

describe("a file that is cut off at any byte", () => {
  const whole = {
    csv: 'username;given_name\nu1;"Zoë; ""x"""\nu2;🦉\n',
    ndjson: '{"username":"u1","a":"Zoë"}\n{"username":"u2"}\n',
    array: '[{"username":"u1","a":"Zoë"},\n{"username":"u2"}]',
    workday: '{"Report_Entry":[{"username":"u1","a":"Zoë"},{"username":"u2"}]}',
  };
  for (const [name, content] of Object.entries(whole)) {
    test(`is read or refused, and never breaks: ${name}`, async () => {
      const bytes = Buffer.from(content);
      const { records: expected } = await readAll(bytes);
      let refused = 0;
      for (let length = 0; length < bytes.length; length++) {
        try {
          const { records } = await readAll(bytes.subarray(0, length));
          // Only the last row can be one that is not in the whole file.
          assert.deepEqual(brief(records).slice(0, -1), brief(expected).slice(0, Math.max(0, records.length - 1)));
        } catch (error) {
          if (!(error instanceof FeedError)) throw error;
          assert.doesNotMatch(error.message.replace(/`[^`]*`/, "the file"), /Zo|🦉/);
          refused++;
        }
      }
      // The end of an array is written in the file; the end of lines is not.
      if (name === "array" || name === "workday") assert.equal(refused, bytes.length);
      if (name === "ndjson") assert.equal(refused, bytes.length - 3);
    });
  }
});

describe("reading", () => {
  const rows: Readonly<Record<string, readonly [string, string]>> = {
    csv: ["username,a\n", "u1,some text that goes on for a while\n"],
    ndjson: ["", '{"username":"u1","a":"some text"}\n'],
    array: ["[", '{"username":"u1","a":"some text"},'],
  };
  for (const [format, [head, row]] of Object.entries(rows)) {
    test(`takes from ${format} only what is asked for`, async () => {
      let made = 0;
      let ended = false;
      const block = Buffer.from(row.repeat(1000));
      const feed = await openFeed(
        madeSource(function* () {
          try {
            yield Buffer.from(head);
            for (;;) {
              made += block.length;
              yield block;
            }
          } finally {
            ended = true;
          }
        }),
      );
      let taken = 0;
      let most = 0;
      let faults = 0;
      for await (const record of feed.records) {
        if (record.kind !== "record") faults += 1;
        taken += row.length;
        most = Math.max(most, made - taken);
        if (taken > 2_000_000) break;
      }
      assert.equal(faults, 0);
      assert.ok(most < 500_000, `${most} bytes were read ahead`);
      assert.equal(ended, true);
    });
  }

  test("a feed of faults alone is still a feed", async () => {
    const checked = await checkPass(madeSource(() => [Buffer.from("a,b\n1\n")]));
    assert.deepEqual([checked.records, checked.faults], [0, 1]);
  });
});
