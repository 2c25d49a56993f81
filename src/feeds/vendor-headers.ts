/**
 * What systems call the columns of their exports, by the attribute that is meant: for hints, where no spelling is close.
 * Each name is from a page of its vendor, but for Workday, whose reports are named by those who write them.
 */
import { columnKey } from "../core/text.ts";

/** `username`: what tells people apart, and may name them. */
type Meaning =
  | "username"
  | "given_name"
  | "family_name"
  | "middle_name"
  | "nickname"
  | "name"
  | "email"
  | "phone_number"
  | "birthdate";

type Headers = Readonly<Partial<Record<Meaning, readonly string[]>>>;

const VENDORS: readonly Headers[] = [
  // Workday: the columns of a custom report, as its JSON has them (Reports-as-a-Service).
  { username: ["Employee_ID", "Worker_ID"], nickname: ["Preferred_Name"], email: ["Work_Email"] },
  // BambooHR, "Field Names": https://documentation.bamboohr.com/docs/list-of-field-names, and the labels of webhooks.
  {
    username: ["employeeNumber", "Employee #"],
    given_name: ["firstName"],
    family_name: ["lastName"],
    middle_name: ["middleName"],
    nickname: ["preferredName"],
    name: ["displayName", "fullName1"],
    email: ["workEmail", "bestEmail", "homeEmail"],
    phone_number: ["mobilePhone", "workPhone", "homePhone"],
    birthdate: ["dateOfBirth"],
  },
  // SAP SuccessFactors, "Explanation of the Fields in the Employee Import File" (KBA 2087504), and "Compiling User Data".
  { username: ["USERID", "USERNAME"], given_name: ["FIRSTNAME"], family_name: ["LASTNAME"], email: ["EMAIL"] },
  // Personio, "List Employees" and "Addition of 'preferred_name' attribute": https://developer.personio.de.
  { given_name: ["first_name"], family_name: ["last_name"], nickname: ["preferred_name"], email: ["email"] },
  // UKG Pro, "Employee Person Service": https://developer.ukg.com/hcm/docs/employee-person-service.
  {
    given_name: ["FirstName"],
    family_name: ["LastName"],
    email: ["EmailAddress", "AlternateEmailAddress"],
  },
  // ADP Workforce Now, "Workers Data Collection": the fields of a worker in its API.
  {
    username: ["associateOID", "workerID"],
    given_name: ["legalName.givenName"],
    family_name: ["legalName.familyName1"],
    email: ["emailUri"],
  },
  // HubSpot, "A Developer's Guide to HubSpot CRM Objects: Contacts Object": https://developers.hubspot.com/blog.
  { given_name: ["firstname"], family_name: ["lastname"], email: ["email"], phone_number: ["phone", "Phone Number"] },
  // Salesforce, "Contact" of the Field Reference: https://developer.salesforce.com/docs/platform/field-reference.
  {
    given_name: ["FirstName"],
    family_name: ["LastName"],
    email: ["Email"],
    phone_number: ["MobilePhone", "Phone"],
    birthdate: ["Birthdate"],
  },
];

/** Of somebody else than the person of the row. */
const OTHERS = /manager|supervisor|emergency|dependent|spouse/i;

/**
 * The attribute that systems mean by this header, whatever its case and signs, and whatever words they put before it
 * (`Legal First Name`); undefined where none of them has it.
 */
export function vendorMeaning(header: string): string | undefined {
  const words = columnKey(header).split(/[\s_.:-]+/);
  const tails = words.map((_, at) => words.slice(at).join(""));
  const [whole = "", ...shorter] = tails;
  return MEANINGS.get(whole) ?? (OTHERS.test(header) ? undefined : meaningOf(shorter.slice(0, -1)));
}

/** The first that is known. A single word says too little of the words before it. */
function meaningOf(tails: readonly string[]): string | undefined {
  return tails.map((tail) => MEANINGS.get(tail)).find((meaning) => meaning !== undefined);
}

const MEANINGS: ReadonlyMap<string, string> = new Map(
  VENDORS.flatMap((vendor) =>
    Object.entries(vendor).flatMap(([meaning, names]) =>
      names.map((name) => [columnKey(name).replace(/[\s_.:-]+/g, ""), meaning] as const),
    ),
  ),
);
