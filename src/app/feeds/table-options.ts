/** Where a file's table begins and ends: the feed's setting, and the options that go before it. */
import { ConfigError, type Problem } from "../../config/config-error.ts";
import { delimiterIn, DELIMITER_FORM, isLineText, isPlain, type TableSetting } from "../../feeds/table.ts";

export interface TableOptions {
  readonly delimiter?: string;
  readonly headerLine?: number;
  readonly headerAfter?: string;
  readonly comment?: string;
  readonly footer?: string;
}

/** Undefined where nothing is said. Throws a ConfigError for options that cannot be. */
export function tableOf(
  { delimiter: said, headerLine, headerAfter, comment, footer }: TableOptions,
  setting: TableSetting = {},
): TableSetting | undefined {
  const delimiter = said === undefined ? undefined : delimiterIn(said);
  const problems: Problem[] = [];
  if (said !== undefined && delimiter === undefined) {
    problems.push({ path: "--delimiter", message: `Expected ${DELIMITER_FORM}, got \`${said}\`` });
  }
  if (headerLine !== undefined && headerAfter !== undefined) {
    problems.push({ path: "--header-after", message: "Expected either this or --header-line, got both" });
  }
  for (const [path, value] of Object.entries({
    "--header-after": headerAfter,
    "--comment": comment,
    "--footer": footer,
  })) {
    if (value !== undefined && !isLineText(value)) {
      problems.push({ path, message: `Expected a text of one line, got \`${value}\`` });
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  // One option says where the header is, and so goes before both keys that could.
  const isPlaced = headerLine !== undefined || headerAfter !== undefined;
  const table: TableSetting = {
    delimiter: delimiter ?? setting.delimiter,
    headerLine: isPlaced ? headerLine : setting.headerLine,
    after: isPlaced ? headerAfter : setting.after,
    comment: comment ?? setting.comment,
    footer: footer?.trim() ?? setting.footer,
  };
  return isPlain(table) ? undefined : table;
}
