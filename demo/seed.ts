/**
 * The people of the demonstration: the users that the pool has, and the HR export that changes them. All of it is
 * made up by a small generator that gives the same people every time: names are drawn from lists, addresses are
 * under example.com, and phone numbers come from the ranges that regulators keep for films.
 */

export const SEED_USERS = 2000;

/** The pool's own attributes. Names are without `custom:`, as CreateUserPool takes them. */
export const SEED_CUSTOM_ATTRIBUTES = [
  { name: "department", mutable: true },
  { name: "title", mutable: true },
  { name: "cost_center", mutable: true },
  { name: "manager", mutable: true },
  { name: "hire_date", mutable: true },
  { name: "country", mutable: true },
  { name: "employee_number", mutable: false },
] as const;

export interface SeedUser {
  readonly username: string;
  readonly attributes: Readonly<Record<string, string>>;
}

interface Person {
  readonly username: string;
  readonly given: string;
  readonly family: string;
  readonly email: string;
  /** Digits with + and country code. */
  readonly phone: string;
  readonly department: string;
  readonly title: string;
  readonly costCenter: string;
  readonly manager: string;
  /** YYYY-MM-DD */
  readonly hired: string;
  readonly country: string;
  readonly employeeNumber: string;
}

const GIVEN =
  "Aisha Ana André Anaïs Åsa Beatriz Björn Chidi Chloë Dag Daniela Diego Elif Émile Esther Fatima Farid Gabriela Grace Hannah Hélène Hiroshi Ines Ibrahim Ivana Jelena João Jürgen Kaja Kofi Lars Léa Łukasz Małgorzata Maeve Marek Nadia Ngozi Niamh Noor Olga Oluwaseun Øyvind Paula Priya Quentin Ravi Renée Rosa Saoirse Sébastien Søren Sofia Tomáš Uma Ursula Vikram Wei Yusuf Zoë".split(
    " ",
  );
const FAMILY =
  "Abara|Álvarez|Andersson|Bălan|Bauer|Benoît|Brennan|Castaño|Çelik|Chowdhury|D'Angelo|Da Silva|De Vries|Dvořák|Eriksen|Fernández|Fitzgerald|García Márquez|Gómez|Grünwald|Haddad|Håkansson|Ibáñez|Iyer|Jankowski|Jönsson|Kaya|Kowalczyk|Krüger|Lindqvist|Łazarz|MacLeod|Mbeki|Müller|Muñoz|Nakamura|Nguyễn|Nørgaard|O'Connor|O'Sullivan|Okonkwo|Ólafsdóttir|Öztürk|Peña|Petrović|Quinn|Rossi|Schäfer|Šimić|Smith-Jones|Strauß|Szabó|Tanaka|Tremblay|Ueda|Van den Berg|Vega|Wójcik|Yılmaz|Żak".split(
    "|",
  );
const DEPARTMENTS = [
  "Customer Care",
  "Finance",
  "Human Resources",
  "IT Operations",
  "Legal, Risk and Compliance",
  "Logistics",
  "Marketing",
  "Research, Design and Development",
  "Sales, EMEA",
  "Sales, Americas",
];
const TITLES = [
  "Accountant",
  "Analyst",
  'Architect ("Platform")',
  "Buyer",
  "Chargé d’affaires",
  "Coordinator",
  "Designer",
  "Developer",
  "Engineer",
  "Manager, Key Accounts",
  "Specialist",
  "Team Lead",
];
const COUNTRIES = ["United Kingdom", "Germany", "France", "United States"] as const;
const AREA_CODES = ["202", "212", "312", "415", "512", "617"];

interface Dice {
  /** A whole number from 0 up to, but not including, `below`. */
  roll(below: number): number;
  pick<Item>(items: readonly Item[]): Item;
}

/** mulberry32: small, and the same everywhere. */
function createDice(seed: number): Dice {
  let state = seed;
  function roll(below: number): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below);
  }
  return {
    roll,
    pick(items) {
      const item = items[roll(items.length)];
      if (item === undefined) throw new RangeError("Expected a list with an item in it");
      return item;
    },
  };
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

/** A number from the range that the country's regulator keeps for fiction. */
function phoneIn(country: string, dice: Dice): string {
  switch (country) {
    case "United Kingdom":
      return `+447700900${digits(dice.roll(1000), 3)}`;
    case "Germany":
      return `+493023125${digits(dice.roll(1000), 3)}`;
    case "France":
      return `+3363998${digits(dice.roll(10_000), 4)}`;
    default:
      return `+1${dice.pick(AREA_CODES)}55501${digits(dice.roll(100), 2)}`;
  }
}

/** The part of an address before the @: no accents, no blanks. */
function mailName(text: string): string {
  const letters: Readonly<Record<string, string>> = { ł: "l", ø: "o", ß: "ss", ı: "i" };
  return text
    .toLowerCase()
    .normalize("NFD")
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/[łøßı]/g, (letter) => letters[letter] ?? "")
    .replace(/[^a-z]/g, "");
}

function people(): Person[] {
  const dice = createDice(20_260_131);
  const taken = new Map<string, number>();
  return Array.from({ length: SEED_USERS }, (_, index) => {
    const given = dice.pick(GIVEN);
    const family = dice.pick(FAMILY);
    const mail = `${mailName(given)}.${mailName(family)}`;
    const namesakes = (taken.get(mail) ?? 0) + 1;
    taken.set(mail, namesakes);
    const country = dice.pick(COUNTRIES);
    const department = dice.roll(DEPARTMENTS.length);
    return {
      username: `emp${digits(index + 1, 4)}`,
      given,
      family,
      email: `${mail}${namesakes === 1 ? "" : namesakes}@example.com`,
      phone: phoneIn(country, dice),
      department: DEPARTMENTS[department] ?? "",
      title: dice.pick(TITLES),
      costCenter: `CC-${digits(100 + department, 4)}`,
      manager: `${dice.pick(FAMILY)}, ${dice.pick(GIVEN)}`,
      hired: `${2005 + dice.roll(20)}-${digits(1 + dice.roll(12), 2)}-${digits(1 + dice.roll(28), 2)}`,
      country,
      employeeNumber: String(100_000 + index * 7),
    };
  });
}

/** The users as they are in the pool before the export comes: `emp0001` to `emp2000`, everything verified. */
export function seedUsers(): SeedUser[] {
  return people().map((person) => ({
    username: person.username,
    attributes: {
      given_name: person.given,
      family_name: person.family,
      email: person.email,
      email_verified: "true",
      phone_number: person.phone,
      phone_number_verified: "true",
      "custom:department": person.department,
      "custom:title": person.title,
      "custom:cost_center": person.costCenter,
      "custom:manager": person.manager,
      "custom:hire_date": person.hired,
      "custom:country": person.country,
      "custom:employee_number": person.employeeNumber,
    },
  }));
}

/** What happens in a company between two exports. Each turns a person into one that differs. */
function move(person: Person, dice: Dice): Person {
  const what = dice.roll(100);
  if (what < 45) {
    const department =
      (DEPARTMENTS.indexOf(person.department) + 1 + dice.roll(DEPARTMENTS.length - 1)) % DEPARTMENTS.length;
    return { ...person, department: DEPARTMENTS[department] ?? "", costCenter: `CC-${digits(100 + department, 4)}` };
  }
  if (what < 65) return { ...person, title: `Senior ${person.title}` };
  if (what < 80) return { ...person, manager: `${dice.pick(FAMILY)}-${dice.pick(FAMILY)}, ${dice.pick(GIVEN)}` };
  if (what < 90) {
    const [area, last] = [person.phone.slice(0, -2), Number(person.phone.slice(-2))];
    return { ...person, phone: `${area}${digits((last + 1 + dice.roll(99)) % 100, 2)}` };
  }
  const family = `${person.family}-${dice.pick(FAMILY)}`;
  if (what < 95) return { ...person, family };
  // The number keeps the new address apart from everybody else's.
  return {
    ...person,
    family,
    email: `${mailName(person.given)}.${mailName(family)}.${person.username.slice(3)}@example.com`,
  };
}

const HEADERS = [
  "Employee ID",
  "First Name",
  "Last Name",
  "Work Email",
  "Mobile Phone",
  "Department",
  "Title",
  "Cost Center",
  "Manager",
  "Hire Date",
  "Country",
  "Corrected Number",
];

type Row = readonly string[];

/** As the telephone list of a British company has it: its own numbers without the country code. */
function writtenPhone(phone: string): string {
  if (phone.startsWith("+44")) return `0${phone.slice(3, 7)} ${phone.slice(7)}`;
  if (phone.startsWith("+49")) return `+49 (0)30 ${phone.slice(5)}`;
  if (phone.startsWith("+33")) return `+33 ${phone.slice(3, 4)} ${phone.slice(4).replace(/(..)(?=.)/g, "$1 ")}`;
  return `+1 (${phone.slice(2, 5)}) ${phone.slice(5, 8)}-${phone.slice(8)}`;
}

function writtenDate(day: string): string {
  return day.split("-").toReversed().join("/");
}

function rowOf(
  person: Person,
  over: Partial<Person> & { readonly phoneAsWritten?: string; readonly corrected?: string } = {},
): Row {
  const now = { ...person, ...over };
  return [
    now.username,
    now.given,
    now.family,
    now.email,
    over.phoneAsWritten ?? writtenPhone(now.phone),
    now.department,
    now.title,
    now.costCenter,
    now.manager,
    writtenDate(now.hired),
    now.country,
    over.corrected ?? "",
  ];
}

function cell(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The HR export, the text of `hr-export.csv`: 900 rows, of which about 150 change somebody, and some cannot be right. */
export function hrExport(): string {
  const everybody = people();
  const dice = createDice(900);
  const rows: Row[] = [];
  const chosen = new Set<number>();
  while (chosen.size < 885) chosen.add(dice.roll(everybody.length - 50));
  const order = [...chosen].toSorted((a, b) => a - b);
  for (const [position, index] of order.entries()) {
    const person = everybody[index];
    if (person === undefined) continue;
    const moved = position % 7 === 2 ? move(person, dice) : person;
    // Whoever has no company phone, or no manager yet, is blank; some addresses are shouted.
    if (position % 23 === 11) rows.push(rowOf(moved, { phoneAsWritten: "" }));
    else if (position % 41 === 17) rows.push(rowOf(moved, { manager: "" }));
    else if (position % 59 === 29) rows.push(rowOf(moved, { email: moved.email.toUpperCase() }));
    else rows.push(rowOf(moved));
  }
  const spoil = (at: number, change: (person: Person) => Row): void => {
    const person = everybody[order[at] ?? 0];
    if (person !== undefined) rows[at] = change(person);
  };
  const owner = everybody.at(-1);
  spoil(120, (person) => rowOf(person, { email: owner?.email ?? "" }));
  spoil(240, (person) =>
    rowOf(person, { title: `Delegate for ${"everything and anything else, ".repeat(80)}and so on` }),
  );
  spoil(360, (person) => rowOf(person, { phoneAsWritten: "ask reception", department: "Facilities" }));
  spoil(480, (person) => rowOf(person, { corrected: String(Number(person.employeeNumber) + 1) }));
  spoil(600, (person) =>
    rowOf(person, { corrected: String(Number(person.employeeNumber) + 2), department: "Facilities" }),
  );
  // Systems like Workday give a person a second row when a contract ends: the last one counts, its blanks say nothing.
  for (const [copy, at] of [40, 180, 320, 460, 700, 820].entries()) {
    const person = everybody[order[at] ?? 0];
    if (person === undefined) continue;
    const again = rowOf(person, {
      title: `Principal ${person.title}`,
      department: "Facilities",
      costCenter: "CC-0110",
    });
    const second = copy === 5 ? again.map((text, column) => (column === 0 || column === 6 ? text : "")) : again;
    rows.splice(at + 1 + copy + copy, 0, second);
  }
  // People who were hired, and are not in the pool yet.
  for (let newcomer = 1; newcomer <= 8; newcomer++) {
    const like = everybody[newcomer * 100];
    if (like === undefined) continue;
    const username = `emp${SEED_USERS + newcomer}`;
    rows.splice(newcomer * 97, 0, rowOf(like, { username, email: `${mailName(like.given)}.${username}@example.com` }));
  }
  // A contractor whom HR has not given a number.
  const contractor = everybody[777];
  if (contractor !== undefined) rows.push(rowOf(contractor, { username: "", email: "contractor@example.org" }));
  return [HEADERS, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}
