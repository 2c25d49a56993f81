/**
 * The accounts that the units of one claim are for. Mostly it is one; a username that was deleted and made anew has
 * several, and a change that was put by the username alone is for the account that has it now.
 */
import { type Alias, isAliasAttribute } from "../core/alias-claims.ts";
import { contactsIn, type ListedUser } from "../core/comparison.ts";
import type { Attribute, Contacts } from "../core/contact.ts";
import type { Person } from "../core/person.ts";
import type { SubProbe } from "../cognito/sub-probe.ts";

/** What the pool has of an account, as far as this claim knows. */
export interface View {
  readonly listed: ListedUser;
  /** As the calls of this claim have left them. */
  contacts: Contacts | undefined;
  /** True where that is what was seen within the minute, and not what this claim asked. */
  readonly lately: boolean;
}

export interface Recipient {
  readonly person: Person;
  /** The `Username` of its calls. */
  called: string;
  /** Absent where nobody looked, or the list does not show the account. */
  view?: View;
}

export interface Recipients {
  /** Units of one account have one recipient, and so have those that are called by its name. */
  of(person: Person): Recipient;
  all(): readonly Recipient[];
  /**
   * A look found this user for the recipient. Of one account there is one view, however it was found: what was asked
   * replaces what was seen `lately`.
   */
  seen(recipient: Recipient, user: ListedUser, lately?: boolean): void;
  /** The list does not show the user any more. */
  gone(recipient: Recipient): void;
}

export function createRecipients(username: string, subs: Pick<SubProbe, "called">): Recipients {
  const recipients = new Map<string, Recipient>();
  const views = new Map<string, View>();
  return {
    of(person) {
      const { account } = person;
      const called = subs.called(username, person);
      // A user that is called by username, and was made anew, has the name of the former account.
      const key = account === undefined || called === account.sub ? called : `${called} ${account.sub}`;
      const known = recipients.get(key);
      if (known !== undefined) return known;
      const recipient = { person, called };
      recipients.set(key, recipient);
      return recipient;
    },
    all: () => [...recipients.values()],
    seen(recipient, user, lately = false) {
      const known = views.get(user.sub);
      const isBetter = known === undefined || (known.lately && !lately);
      const view = isBetter ? { listed: user, contacts: contactsIn(user), lately } : known;
      views.set(user.sub, view);
      for (const other of recipients.values()) if (known !== undefined && other.view === known) other.view = view;
      recipient.view = view;
    },
    gone(recipient) {
      if (recipient.view !== undefined) views.delete(recipient.view.listed.sub);
      delete recipient.view;
    },
  };
}

/** The addresses, numbers and preferred usernames that change hands by a call: what the user had, and what they get. */
export function aliasesChanged(payload: readonly Attribute[], { view }: Recipient): Alias[] {
  return payload.flatMap(({ Name: attribute, Value }) => {
    if (!isAliasAttribute(attribute)) return [];
    const had =
      attribute === "preferred_username" ? view?.listed.attributes.get(attribute) : view?.contacts?.[attribute]?.value;
    return [Value, had ?? ""].filter((value) => value !== "").map((value) => ({ attribute, value }));
  });
}
