/** The two attributes that Cognito verifies by a message, each with its flag. */
export const CONTACTS = ["email", "phone_number"] as const;
export type Contact = (typeof CONTACTS)[number];

export const FLAGS: Readonly<Record<Contact, string>> = Object.freeze({
  email: "email_verified",
  phone_number: "phone_number_verified",
});

export function isFlag(name: string): boolean {
  return name === FLAGS.email || name === FLAGS.phone_number;
}

export function isContact(name: string): name is Contact {
  return name === "email" || name === "phone_number";
}

export function isEmail(text: string): boolean {
  return text.length <= 2048 && /^[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+$/u.test(text);
}

/** `+`, then digits only. Cognito's own upper limit is not documented; E.164 has 15 digits. */
export function isPhoneNumber(text: string): boolean {
  return /^\+[0-9]{2,15}$/.test(text);
}

/** A destination as Cognito shows it in `CodeDeliveryDetails`. */
export function maskContact(contact: Contact, value: string): string {
  if (contact === "phone_number") return `+${"*".repeat(Math.max(0, value.length - 5))}${value.slice(-4)}`;
  const [local = "", domain = ""] = value.split("@");
  return `${local.slice(0, 1)}***@${domain.slice(0, 1)}***`;
}
