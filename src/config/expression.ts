import { quoted } from "../core/quoted.ts";

/** Why a text is no JMESPath expression, or undefined. What reads such is loaded with the first one only. */
export async function expressionFault(expression: string): Promise<string | undefined> {
  const { JMESPathError, JMESPathTypeError, search } = await import("@aws-lambda-powertools/jmespath");
  try {
    search(expression, null);
  } catch (error) {
    // A function that is given nothing here is given something in a body.
    if (error instanceof JMESPathTypeError) return undefined;
    const why = error instanceof JMESPathError ? `: ${error.message.slice(0, 200)}` : "";
    return `Expected a JMESPath expression such as data.id or employees[*], got ${quoted(expression)}${why}`;
  }
  return undefined;
}
