/**
 * The attributes of a pool: Cognito's twenty standard ones, as its own output shows them, and the pool's own under
 * `custom:` or `dev:`.
 */
export const DATA_TYPES = ["String", "Number", "DateTime", "Boolean"] as const;
type DataType = (typeof DATA_TYPES)[number];

/** One attribute as a pool's definition says it. A standard attribute's name changes that one, any other adds one. */
export interface AttributeDefinition {
  /** With or without its prefix: `cost_center` and `custom:cost_center` are the same. */
  readonly name: string;
  readonly type?: DataType | undefined;
  readonly mutable?: boolean | undefined;
  readonly required?: boolean | undefined;
  /** Named `dev:…`; written by administrators only. */
  readonly developerOnly?: boolean | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minValue?: number | undefined;
  readonly maxValue?: number | undefined;
}

export interface AttributeSpec {
  readonly name: string;
  readonly type: DataType;
  readonly mutable: boolean;
  readonly required: boolean;
  readonly developerOnly: boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minValue?: number;
  readonly maxValue?: number;
}

export type Schema = ReadonlyMap<string, AttributeSpec>;

const MAX_CUSTOM_ATTRIBUTES = 50;

function standard(name: string, spec: Partial<AttributeSpec> = {}): AttributeSpec {
  const lengths = spec.type === undefined ? { minLength: 0, maxLength: 2048 } : {};
  return { name, type: "String", mutable: true, required: false, developerOnly: false, ...lengths, ...spec };
}

const STANDARD: readonly AttributeSpec[] = [
  standard("sub", { mutable: false, required: true, minLength: 1 }),
  standard("name"),
  standard("given_name"),
  standard("family_name"),
  standard("middle_name"),
  standard("nickname"),
  standard("preferred_username"),
  standard("profile"),
  standard("picture"),
  standard("website"),
  standard("email"),
  standard("email_verified", { type: "Boolean" }),
  standard("gender"),
  standard("birthdate", { minLength: 10, maxLength: 10 }),
  standard("zoneinfo"),
  standard("locale"),
  standard("phone_number"),
  standard("phone_number_verified", { type: "Boolean" }),
  standard("address"),
  standard("updated_at", { type: "Number", minValue: 0 }),
];

function defined<K extends string>(values: Readonly<Record<K, number | undefined>>): Partial<Record<K, number>> {
  const kept: Partial<Record<K, number>> = {};
  for (const name in values) if (values[name] !== undefined) kept[name] = values[name];
  return kept;
}

function limitsOf({ minLength, maxLength, minValue, maxValue }: AttributeDefinition): Partial<AttributeSpec> {
  return defined({ minLength, maxLength, minValue, maxValue });
}

function customSpec(definition: AttributeDefinition): AttributeSpec {
  const bare = definition.name.replace(/^(?:custom|dev):/, "");
  const developerOnly = definition.developerOnly ?? definition.name.startsWith("dev:");
  if (bare.length < 1 || bare.length > 20) {
    throw new RangeError(`Expected a custom attribute's name to have 1 to 20 characters, got \`${bare}\``);
  }
  if (definition.required === true) {
    throw new RangeError(
      `Expected \`${definition.name}\` not to be required: Cognito requires standard attributes only`,
    );
  }
  return {
    name: `${developerOnly ? "dev" : "custom"}:${bare}`,
    type: definition.type ?? "String",
    mutable: definition.mutable ?? true,
    required: false,
    developerOnly,
    ...limitsOf(definition),
  };
}

/** The whole schema of a pool. Throws a RangeError for what CreateUserPool would refuse. */
export function createSchema(definitions: readonly AttributeDefinition[]): Schema {
  const schema = new Map(STANDARD.map((spec) => [spec.name, spec]));
  for (const definition of definitions) {
    const base = schema.get(definition.name);
    const spec: AttributeSpec =
      base === undefined || /^(?:custom|dev):/.test(definition.name)
        ? customSpec(definition)
        : {
            ...base,
            ...limitsOf(definition),
            mutable: definition.mutable ?? base.mutable,
            required: definition.required ?? base.required,
          };
    schema.set(spec.name, spec);
  }
  const custom = schema.size - STANDARD.length;
  if (custom > MAX_CUSTOM_ATTRIBUTES) {
    throw new RangeError(`Expected at most ${MAX_CUSTOM_ATTRIBUTES} custom attributes, got \`${custom}\``);
  }
  return schema;
}

/** A constraint that is not set is absent, and every one that is set is text, as DescribeUserPool has it. */
function constraint(name: string, value: number | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: String(value) };
}

/** One entry of `SchemaAttributes` as DescribeUserPool shows it. */
export function describeAttribute(spec: AttributeSpec): Record<string, unknown> {
  const described: Record<string, unknown> = {
    Name: spec.name,
    AttributeDataType: spec.type,
    DeveloperOnlyAttribute: spec.developerOnly,
    Mutable: spec.mutable,
    Required: spec.required,
  };
  if (spec.type === "String") {
    described["StringAttributeConstraints"] = {
      ...constraint("MinLength", spec.minLength),
      ...constraint("MaxLength", spec.maxLength),
    };
  }
  if (spec.type === "Number") {
    described["NumberAttributeConstraints"] = {
      ...constraint("MinValue", spec.minValue),
      ...constraint("MaxValue", spec.maxValue),
    };
  }
  return described;
}
