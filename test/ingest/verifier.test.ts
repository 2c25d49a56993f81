import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import type { EventsSetting, HmacSetting } from "../../src/config/events.ts";
import { createVerifier, type EventRequest, type Verification } from "../../src/ingest/verifier.ts";

type Headers = Readonly<Record<string, string>>;

function request(headers: Headers, body: string | Uint8Array): EventRequest {
  return { header: (name) => headers[name], body: typeof body === "string" ? Buffer.from(body) : body };
}

const TOLERANCE = 300_000;
const standard = (...secrets: (string | undefined)[]) =>
  createVerifier({ scheme: "standard-webhooks", toleranceMs: TOLERANCE }, secrets);
const bamboo = (...secrets: string[]) => createVerifier({ scheme: "bamboohr", toleranceMs: TOLERANCE }, secrets);

function refusal(verification: Verification): string {
  return verification.kind === "authentic" ? "authentic" : verification.reason;
}

describe("a request of standard-webhooks", () => {
  // The example of the specification.
  const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const BODY = '{"test": 2432232314}';
  const HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  };
  const SIGNED = 1_614_265_330_000;
  const verify = (headers: Headers, body: string | Uint8Array = BODY, now: number | undefined = SIGNED) =>
    standard(SECRET).verify(request(headers, body), now);

  test("is let in with its id and the time of its signature", () => {
    const id = HEADERS["webhook-id"];
    assert.deepEqual(verify(HEADERS), { kind: "authentic", id, signedAtMs: SIGNED, secret: 0 });
  });

  test("is let in with the headers of Svix, and with a secret without its prefix", () => {
    const svix = Object.fromEntries(
      Object.entries(HEADERS).map(([name, value]) => [name.replace("webhook", "svix"), value]),
    );
    assert.equal(verify(svix).kind, "authentic");
    assert.equal(standard(SECRET.slice(6)).verify(request(HEADERS, BODY), SIGNED).kind, "authentic");
  });

  test("is let in with one of several signatures", () => {
    const signature = `v1a,AAAA v1,${"A".repeat(43)}= ${HEADERS["webhook-signature"]}`;
    assert.equal(verify({ ...HEADERS, "webhook-signature": signature }).kind, "authentic");
  });

  test("is let in as the sender's own library signs it, whatever the bytes", () => {
    const at = new Date(Math.floor(Date.now() / 1000) * 1000);
    for (const body of ["", "{}", '{"name":"Zoë ☃"}', "no JSON \u0000"]) {
      const signature = new Webhook(SECRET).sign("msg_1", at, body);
      const timestamp = String(at.getTime() / 1000);
      const headers = { "webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": signature };
      const verification = standard(undefined, SECRET).verify(request(headers, body), at.getTime());
      assert.deepEqual(verification, { kind: "unavailable", reason: "no-secret" });
      const rotated = standard("whsec_bmV3", SECRET).verify(request(headers, body), at.getTime());
      assert.deepEqual(rotated, { kind: "authentic", id: "msg_1", signedAtMs: at.getTime(), secret: 1 });
    }
  });

  const wrong: [what: string, headers: Headers, body: string, reason: string][] = [
    ["has no signature", {}, BODY, "unsigned"],
    ["has another body", HEADERS, `${BODY} `, "forged"],
    ["has another id", { ...HEADERS, "webhook-id": "msg_2" }, BODY, "forged"],
    ["has no id", { "webhook-timestamp": "1614265330", "webhook-signature": "v1,AAAA" }, BODY, "malformed"],
    ["has another time", { ...HEADERS, "webhook-timestamp": "1614265331" }, BODY, "forged"],
    ["has a time that is no digits", { ...HEADERS, "webhook-timestamp": "NaN" }, BODY, "malformed"],
    ["has a time with a sign", { ...HEADERS, "webhook-timestamp": "+1614265330" }, BODY, "malformed"],
    ["has two times", { ...HEADERS, "webhook-timestamp": "1614265330, 1614265330" }, BODY, "malformed"],
    ["has a signature of another kind alone", { ...HEADERS, "webhook-signature": "v1a,AAAA" }, BODY, "malformed"],
    [
      "has half a signature",
      { ...HEADERS, "webhook-signature": HEADERS["webhook-signature"].slice(0, 20) },
      BODY,
      "forged",
    ],
    ["has a blank signature", { ...HEADERS, "webhook-signature": "v1," }, BODY, "forged"],
  ];
  for (const [what, headers, body, reason] of wrong) {
    test(`is refused as ${reason} where it ${what}`, () => assert.equal(refusal(verify(headers, body)), reason));
  }

  test("is refused where the end of the id was moved into what somebody wrote into the body, and let in with a long id", () => {
    const signed = (id: string, body: string) =>
      `v1,${createHmac("sha256", Buffer.from(SECRET.slice(6), "base64"))
        .update(`${id}.1614265330.${body}`)
        .digest("base64")}`;
    const begun = '{"user":"u1","first":"';
    const evil = "user=root&first=Evil&z=";
    const signature = signed("msg_1", `${begun}.1614265330.${evil}"}`);
    const headers = { ...HEADERS, "webhook-id": "msg_1", "webhook-signature": signature };
    assert.equal(verify(headers, `${begun}.1614265330.${evil}"}`).kind, "authentic");
    const moved = { ...headers, "webhook-id": `msg_1.1614265330.${begun}` };
    assert.equal(refusal(verify(moved, `${evil}"}`)), "malformed");
    const long = "m".repeat(2_000);
    assert.equal(verify({ ...HEADERS, "webhook-id": long, "webhook-signature": signed(long, BODY) }).kind, "authentic");
  });

  test("is late or ahead beyond the tolerance, by the store's clock, and only where it is genuine", () => {
    assert.equal(verify(HEADERS, BODY, SIGNED + TOLERANCE).kind, "authentic");
    assert.equal(refusal(verify(HEADERS, BODY, SIGNED + TOLERANCE + 1)), "late");
    assert.equal(verify(HEADERS, BODY, SIGNED - TOLERANCE).kind, "authentic");
    assert.equal(refusal(verify(HEADERS, BODY, SIGNED - TOLERANCE - 1)), "ahead");
    assert.equal(refusal(verify(HEADERS, `${BODY} `, SIGNED + TOLERANCE + 1)), "forged");
  });

  test("waits where the store's clock is not known, unless it is forged", () => {
    const unknown = (body: string) => standard(SECRET).verify(request(HEADERS, body), undefined);
    assert.deepEqual(unknown(BODY), { kind: "unavailable", reason: "no-clock" });
    assert.equal(refusal(unknown(`${BODY} `)), "forged");
  });

  test("waits where the present secret is not set or no base64, whatever the other is", () => {
    for (const [secret, fault] of [
      [undefined, "not set"],
      ["whsec_", "not base64"],
      ["no base64", "not base64"],
      ["whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "not base64"],
    ] as const) {
      const verifier = standard(secret, SECRET);
      assert.equal(verifier.fault, fault);
      assert.equal(refusal(verifier.verify(request(HEADERS, BODY), SIGNED)), "no-secret");
    }
    assert.equal(standard(SECRET, undefined).fault, undefined);
  });
});

describe("a request of BambooHR", () => {
  const SECRET = "123b929362d51613054f71e5e5d4bf2c";
  const SIGNATURE = "56491dd9c2b352bc5f4fc627159aae20ddff9c8cb19f239a6de6771dc5310bac";
  const BODY =
    '{"employees":[{"changedFields":["First name"],"fields":{"Employee #":{"value":"300"},"First name":{"value":"Tefi"},"Last name":{"value":"Adams"}},"id":"5"}]}';
  const HEADERS = { "x-bamboohr-timestamp": "1658248023", "x-bamboohr-signature": SIGNATURE };
  const SIGNED = 1_658_248_023_000;
  const verify = (headers: Headers, body = BODY) => bamboo(SECRET).verify(request(headers, body), SIGNED);

  test("is let in, and its signature is its id", () => {
    const wanted = { kind: "authentic", id: SIGNATURE, signedAtMs: SIGNED, secret: 0 };
    assert.deepEqual(verify(HEADERS), wanted);
    assert.deepEqual(verify({ ...HEADERS, "x-bamboohr-signature": SIGNATURE.toUpperCase() }), wanted);
    assert.deepEqual(bamboo("new", SECRET).verify(request(HEADERS, BODY), SIGNED), { ...wanted, secret: 1 });
  });

  test("is refused where digits were moved between body and time", () => {
    const signed = (body: string, time: string) =>
      createHmac("sha256", SECRET)
        .update(body + time)
        .digest("hex");
    const headers = { "x-bamboohr-timestamp": "1658248023", "x-bamboohr-signature": signed("a=12", "1658248023") };
    assert.equal(verify(headers, "a=12").kind, "authentic");
    assert.equal(refusal(verify({ ...headers, "x-bamboohr-timestamp": "21658248023" }, "a=1")), "ahead");
    assert.equal(refusal(verify({ ...headers, "x-bamboohr-timestamp": "121658248023" }, "a=")), "malformed");
    assert.equal(refusal(verify({ ...headers, "x-bamboohr-timestamp": "658248023" }, "a=121")), "late");
    const ten = { "x-bamboohr-timestamp": "1658248023", "x-bamboohr-signature": signed("a=10", "1658248023") };
    assert.equal(verify(ten, "a=10").kind, "authentic");
    assert.equal(refusal(verify({ ...ten, "x-bamboohr-timestamp": "01658248023" }, "a=1")), "malformed");
  });

  const wrong: [what: string, headers: Headers, body: string, reason: string][] = [
    ["has no signature", { "x-bamboohr-timestamp": "1658248023" }, BODY, "unsigned"],
    ["has no time", { "x-bamboohr-signature": SIGNATURE }, BODY, "malformed"],
    ["has a time in words", { ...HEADERS, "x-bamboohr-timestamp": "2022-07-19" }, BODY, "malformed"],
    ["has another body", HEADERS, BODY.replace("300", "301"), "forged"],
  ];
  for (const [what, headers, body, reason] of wrong) {
    test(`is refused as ${reason} where it ${what}`, () => assert.equal(refusal(verify(headers, body)), reason));
  }
});

describe("a request that is signed by hmac", () => {
  const KEY = "a key of the sender's";
  const BODY = '{"id":"evt_1","employee":{"given":"Zoë"}}';
  const NOW = 1_700_000_000_000;
  const sign = (text: string, algorithm = "sha256", encoding: "hex" | "base64" | "base64url" = "hex") =>
    createHmac(algorithm, KEY).update(text).digest(encoding);
  const plain: HmacSetting = { header: "X-Signature", algorithm: "sha256", encoding: "hex", signed: "{body}" };

  interface Form {
    readonly of: string;
    readonly hmac: HmacSetting;
    readonly idHeader?: string;
    readonly headers: Headers;
    readonly signedAtMs?: number;
  }
  const SECONDS = String(NOW / 1000);
  const stripe = `t=${SECONDS},v1=${sign(`${SECONDS}.other`)},v1=${sign(`${SECONDS}.${BODY}`)},v0=aa`;
  const forms: Form[] = [
    {
      of: "Stripe",
      hmac: { ...plain, header: "Stripe-Signature", part: "v1", timestampPart: "t", signed: "{timestamp}.{body}" },
      headers: { "stripe-signature": stripe },
      signedAtMs: NOW,
    },
    {
      of: "GitHub",
      hmac: { ...plain, header: "X-Hub-Signature-256", prefix: "sha256=" },
      headers: { "x-hub-signature-256": `sha256=${sign(BODY)}` },
    },
    {
      of: "Deel",
      hmac: { ...plain, header: "x-deel-signature", signed: "POST{body}" },
      headers: { "x-deel-signature": sign(`POST${BODY}`) },
    },
    {
      of: "Greenhouse",
      hmac: { ...plain, header: "Signature", prefix: "sha256 " },
      headers: { signature: `sha256 ${sign(BODY)}` },
    },
    {
      of: "Slack",
      hmac: {
        ...plain,
        header: "X-Slack-Signature",
        prefix: "v0=",
        timestampHeader: "X-Slack-Request-Timestamp",
        signed: "v0:{timestamp}:{body}",
      },
      headers: { "x-slack-signature": `v0=${sign(`v0:${SECONDS}:${BODY}`)}`, "x-slack-request-timestamp": SECONDS },
      signedAtMs: NOW,
    },
    {
      of: "one who signs an id and milliseconds, with SHA-512 in base64",
      hmac: {
        ...plain,
        algorithm: "sha512",
        encoding: "base64",
        timestampHeader: "X-Time",
        signed: "{id}\n{timestamp}\n{body}",
      },
      idHeader: "X-Id",
      headers: {
        "x-id": "e 1",
        "x-time": String(NOW),
        "x-signature": sign(`e 1\n${NOW}\n${BODY}`, "sha512", "base64").replace(/=+$/, ""),
      },
      signedAtMs: NOW,
    },
    {
      of: "one who uses SHA-1 in base64url",
      hmac: { ...plain, algorithm: "sha1", encoding: "base64url" },
      headers: { "x-signature": sign(BODY, "sha1", "base64url") },
    },
  ];
  for (const { of, hmac, idHeader, headers, signedAtMs } of forms) {
    const setting: Pick<EventsSetting, "scheme" | "hmac" | "idHeader" | "toleranceMs"> = {
      scheme: "hmac",
      hmac,
      idHeader,
      toleranceMs: TOLERANCE,
    };
    const verify = (changed: Headers = {}, body = BODY, now = NOW) =>
      createVerifier(setting, ["new", KEY]).verify(request({ ...headers, ...changed }, body), now);
    test(`is let in as ${of} signs`, () => {
      const name = hmac.header.toLowerCase();
      // What a time is signed with names the event where nothing else does.
      const [signature = ""] = /[^=, ]+=*$/.exec(headers[name]?.replace(",v0=aa", "") ?? "") ?? [];
      const id = signedAtMs === undefined ? undefined : signature;
      assert.deepEqual(verify(), { kind: "authentic", id, signedAtMs, secret: 1 });
      assert.equal(refusal(verify({}, `${BODY} `)), "forged");
      const other = hmac.part === undefined ? "00" : `t=1,${hmac.part}=00`;
      assert.equal(refusal(verify({ [name]: `${hmac.prefix ?? ""}${other}` })), "forged");
      assert.equal(refusal(createVerifier(setting, [KEY]).verify(request({}, BODY), NOW)), "unsigned");
      if (hmac.prefix !== undefined || hmac.part !== undefined) {
        assert.equal(refusal(verify({ [name]: sign(BODY) })), "malformed");
      }
      if (signedAtMs !== undefined) assert.equal(refusal(verify({}, BODY, NOW + TOLERANCE + 1000)), "late");
      if (hmac.timestampHeader !== undefined) {
        assert.equal(refusal(verify({ [hmac.timestampHeader.toLowerCase()]: "soon" })), "malformed");
      }
      if (idHeader !== undefined) {
        assert.equal(refusal(verify({ [idHeader.toLowerCase()]: "e 2" })), "forged");
        assert.equal(refusal(verify({ [idHeader.toLowerCase()]: "" })), "malformed");
      }
    });
  }
});

describe("a text that is signed by hmac", () => {
  const KEY = "a key of the sender's";
  const NOW = 1_700_000_000_000;
  const verify = (
    signed: string,
    text: string,
    { id, time, body }: Readonly<Record<"id" | "time" | "body", string>>,
  ) => {
    const hmac = {
      header: "X-Signature",
      algorithm: "sha256",
      encoding: "hex",
      signed,
      timestampHeader: "X-Time",
    } as const;
    const headers = { "x-id": id, "x-time": time, "x-signature": createHmac("sha256", KEY).update(text).digest("hex") };
    const setting = { scheme: "hmac", hmac, idHeader: "X-Id", toleranceMs: TOLERANCE } as const;
    return refusal(createVerifier(setting, [KEY]).verify(request(headers, body), NOW));
  };

  test("is refused where an id has the sign at which it ends", () => {
    const text = 'm1.1700000000.{"first":".1700000000.user=root&z="}';
    const genuine = { id: "m1", time: "1700000000", body: text.slice(14) };
    assert.equal(verify("{id}.{timestamp}.{body}", text, genuine), "authentic");
    const forged = { ...genuine, id: 'm1.1700000000.{"first":"', body: 'user=root&z="}' };
    assert.equal(verify("{id}.{timestamp}.{body}", text, forged), "malformed");
    const behind = '{"first":"x|1700000000|y"}|1700000000|m1';
    const read = { id: "m1", time: "1700000000", body: '{"first":"x|1700000000|y"}' };
    assert.equal(verify("{body}|{timestamp}|{id}", behind, read), "authentic");
    const moved = { id: 'y"}|1700000000|m1', time: "1700000000", body: '{"first":"x' };
    assert.equal(verify("{body}|{timestamp}|{id}", behind, moved), "malformed");
  });

  test("is refused where digits of the time could be the body's", () => {
    const [id, time] = ["-", "1700000000"];
    assert.equal(verify("{timestamp}{body}", `${time}{}`, { id, time, body: "{}" }), "authentic");
    assert.equal(verify("{timestamp}{body}", `${time}000a=1`, { id, time, body: "000a=1" }), "malformed");
    assert.equal(verify("{body}{timestamp}", `{}${NOW}`, { id, time: String(NOW), body: "{}" }), "authentic");
    assert.equal(verify("{body}{timestamp}", `a=17${time}`, { id, time, body: "a=17" }), "malformed");
  });
});

describe("a request with a bearer's token", () => {
  const verify = (authorization?: string) =>
    createVerifier({ scheme: "bearer", toleranceMs: TOLERANCE }, ["tök", "old"]).verify(
      // As node:http gives headers: a character is a byte.
      request(
        authorization === undefined ? {} : { authorization: Buffer.from(authorization).toString("latin1") },
        "{}",
      ),
      undefined,
    );

  test("is let in with either token, whatever the time", () => {
    assert.deepEqual(verify("Bearer tök"), { kind: "authentic", id: undefined, signedAtMs: undefined, secret: 0 });
    assert.equal(verify("bearer  old").kind, "authentic");
    assert.equal(refusal(verify("Bearer ol")), "forged");
    assert.equal(refusal(verify("Basic b2xk")), "malformed");
    assert.equal(refusal(verify()), "unsigned");
  });
});

describe("a request of the scheme none", () => {
  const verify = (headers: Headers) =>
    createVerifier({ scheme: "none", toleranceMs: TOLERANCE }, []).verify(request(headers, "{}"), undefined);

  test("is let in, unless a page in a browser sends it", () => {
    assert.equal(verify({}).kind, "authentic");
    assert.equal(refusal(verify({ origin: "https://example.com" })), "browser");
    assert.equal(refusal(verify({ "sec-fetch-site": "cross-site" })), "browser");
  });
});
