/**
 * Works a plan out, in three phases. Each is had from the one before it only, so no step can come too early:
 *
 *   taking     `take` is given every row of the feed. `index` begins the next phase.
 *   meeting    `meet` is given every user whom the scan of the pool lists, and `forget` takes them back where the scan
 *              begins again; `names` gives the users to whom the scan may be confined. By the baselines other than `live` nobody
 *              is met. `conclude` finds out what the rows mean to each other, and begins the next phase.
 *   concluded  `rows` walks the rows, as often as is wanted, each with what it would do.
 */
import type { UserName } from "../cognito/pool-scan.ts";
import type { ListedUser } from "../core/comparison.ts";
import type { PlannedRow } from "./planned-row.ts";
import { createPlanning, type PlannerOptions, type Planning } from "./planning.ts";
import { settleConflicts } from "./row-conflicts.ts";
import type { Asking } from "./row-asking.ts";
import { createRowIntake, questionsAbout, type RowIntake } from "./row-intake.ts";
import { createRowJudgement } from "./row-judgement.ts";
import type { PlannedRecord } from "./row-match.ts";
import { createRowMatches, type RowMatches } from "./row-matches.ts";
import { createRowMeeting } from "./row-meeting.ts";

export interface TakingPlanner {
  take(record: PlannedRecord): void;
  /** All rows were taken. */
  index(): MeetingPlanner;
}

export interface MeetingPlanner {
  /** What it would take to look at each row's user. */
  asking(): Asking;
  /** The questions that find each row's user. */
  names(): Iterable<readonly UserName[]>;
  /** `lookedAt`: epoch ms by the store's clock, before the look at the user began. True where some row would change them. */
  meet(user: ListedUser, lookedAt: number): Promise<boolean>;
  /** The scan begins again: who was met is met once more. */
  forget(): void;
  /** All users were met. `oneByOne`: those whom rows name, and not everybody. */
  conclude(how: { readonly oneByOne: boolean }): Promise<ConcludedPlanner>;
}

export interface ConcludedPlanner {
  rows(): Iterable<PlannedRow>;
}

export function createPlanner(options: PlannerOptions): TakingPlanner {
  const planning = createPlanning(options);
  const matches = createRowMatches(planning);
  const intake = createRowIntake(planning, matches);
  return {
    take: (record) => intake.take(record),
    index() {
      // Only users who are met look rows up.
      if (planning.baseline === "live") planning.scratch.index();
      return createMeetingPlanner(planning, matches, intake);
    },
  };
}

function createMeetingPlanner(planning: Planning, matches: RowMatches, intake: RowIntake): MeetingPlanner {
  const { scratch, bodies, names, asking } = planning;
  const meeting = createRowMeeting(planning, matches, intake.aliases);
  return {
    asking: () => asking.of(scratch.names()),
    *names() {
      for (const { taken } of bodies.walk()) yield questionsAbout(names, taken);
    },
    meet: (user, lookedAt) => meeting.meet(user, lookedAt),
    forget: () => scratch.forgetMatches(),
    async conclude(how) {
      await meeting.finish(how);
      await settleConflicts(planning, intake);
      return createConcludedPlanner(planning);
    },
  };
}

function createConcludedPlanner(planning: Planning): ConcludedPlanner {
  const judge = createRowJudgement(planning);
  return {
    *rows() {
      for (const row of planning.scratch.rows()) yield judge(row);
    },
  };
}
