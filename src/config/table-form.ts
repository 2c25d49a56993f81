/** `table` of a feed: where its table begins and ends. */
import { delimiterIn, DELIMITER_FORM, isLineText } from "../feeds/table.ts";
import { form, fromOne, map, scalar } from "./config-form.ts";

const LINE_TEXT_FORM = "a text of one line";
const lineText = scalar(LINE_TEXT_FORM).refine(isLineText, { error: form(LINE_TEXT_FORM) });

export const tableForm = map("a map with `delimiter`, `headerLine`, `after`, `comment` or `footer`", {
  delimiter: scalar(DELIMITER_FORM)
    .transform((said) => delimiterIn(said) ?? "")
    .refine((delimiter) => delimiter !== "", { error: form(DELIMITER_FORM) })
    .optional(),
  headerLine: fromOne.optional(),
  after: lineText.optional(),
  comment: lineText.optional(),
  footer: lineText.transform((said) => said.trim()).optional(),
}).refine(({ headerLine, after }) => headerLine === undefined || after === undefined, {
  error: "Expected either `headerLine` or `after`, got both",
});
