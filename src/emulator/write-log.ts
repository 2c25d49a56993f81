/** One write that was applied. */
interface Write {
  /** 1 for the first; without gaps. */
  readonly seq: number;
  /** Epoch ms, by the emulator's clock. */
  readonly at: number;
  readonly pool: string;
  /** The user's own name, not the alias that the caller may have used. */
  readonly username: string;
  /** Tells users of one username apart where the earlier one was deleted. */
  readonly sub: string;
  /** What the caller wrote and what took effect: blank for what was deleted. Empty where the user was. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Contacts whose new value waits for its confirmation. Absent where there are none. */
  readonly held?: readonly string[];
  /** `VerifyUserAttribute` for a value that was confirmed in process. */
  readonly operation: string;
  /** What came with the call; absent where nothing did. */
  readonly clientMetadata?: Readonly<Record<string, string>>;
  /** True where the caller had gone by then, or was not answered: it cannot know of the write. */
  readonly unanswered?: true;
}

/** Every applied write in the order in which it took effect. In memory, for the emulator's own data only. */
export interface WriteLog {
  readonly writes: readonly Write[];
  /** The writes after this sequence number. */
  since(seq: number): readonly Write[];
}

export interface WriteRecorder extends WriteLog {
  append(write: Omit<Write, "seq" | "at" | "unanswered">): void;
  /** Whatever `act` appends while it runs is unanswered. */
  unanswered<T>(act: () => T): T;
}

export function createWriteLog(now: () => number): WriteRecorder {
  const writes: Write[] = [];
  let isUnanswered = false;
  return {
    writes,
    since: (seq) => writes.slice(Math.max(0, seq)),
    append(write) {
      const recorded: Write = { seq: writes.length + 1, at: now(), ...write };
      writes.push(isUnanswered ? { ...recorded, unanswered: true } : recorded);
    },
    unanswered(act) {
      isUnanswered = true;
      try {
        return act();
      } finally {
        isUnanswered = false;
      }
    },
  };
}
