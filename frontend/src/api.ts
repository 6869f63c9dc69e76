/**
 * The only file that knows URLs and encodings of the server.
 *
 * URLs are relative to the document base (`data/plugin/gradhealth/`), so a path prefix or a
 * proxy in front of TensorBoard needs no care.
 */
import type {
  Evidence,
  Finding,
  Limits,
  Replay,
  RuleSheet,
  RunDetail,
  RunList,
  Series,
  Signal,
} from './wire';

export interface Api {
  runs(): Promise<RunList>;
  run(run: string): Promise<RunDetail>;
  series(run: string, signal: string, part: Part): Promise<Series>;
  /** The single steps that were kept before a finding opened. */
  flight(run: string, finding: string, signal: string): Promise<Series>;
  rules(): Promise<RuleSheet[]>;
  /** What the rules say of a run with other limits. */
  replay(run: string, limits: Limits): Promise<Replay>;
}

/** The part of a signal that is wanted; what is left out stands for all. */
export interface Part {
  fields: readonly string[];
  rows: readonly number[] | null;
  /** Neighbouring points are joined until there are no more than this. */
  points: number;
  /** First and last step. */
  steps: readonly [number, number] | null;
}

/** A request that brought no usable answer; `status` is 0 when the server was not reached. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly route: string,
    readonly reason: string,
  ) {
    super(status ? `${route} answered ${status}: ${reason}` : `${route}: ${reason}`);
  }
}

export function createApi(fetcher: typeof fetch): Api {
  const get = (route: string, query: Record<string, string> = {}) => request(fetcher, route, query);
  return {
    runs: async () => json<RunList>(await get('runs'), 'runs'),
    run: async (run) => decodeRun(await json<WireRun>(await get('run', { run }), 'run')),
    series: async (run, signal, part) => {
      const response = await get('series', { run, signal, ...partQuery(part) });
      return decodeSeries(await response.arrayBuffer());
    },
    flight: async (run, finding, signal) => {
      const response = await get('flight', { run, finding, signal });
      return decodeSeries(await response.arrayBuffer());
    },
    rules: async () => (await json<{ rules: RuleSheet[] }>(await get('rules'), 'rules')).rules,
    replay: async (run, limits) => {
      const response = await get('replay', { run, limits: JSON.stringify(limits) });
      const answer = await json<WireReplay>(response, 'replay');
      return { ...answer, findings: answer.findings.map(decodeFinding) };
    },
  };
}

function partQuery({ fields, rows, points, steps }: Part): Record<string, string> {
  return {
    fields: fields.join(','),
    points: String(points),
    ...(rows && { rows: rows.join(',') }),
    ...(steps && { steps: steps.join(',') }),
  };
}

async function request(
  fetcher: typeof fetch,
  route: string,
  query: Record<string, string>,
): Promise<Response> {
  const search = new URLSearchParams(query).toString();
  let response: Response;
  try {
    response = await fetcher(search ? `./${route}?${search}` : `./${route}`);
  } catch (error) {
    throw new ApiError(0, route, error instanceof Error ? error.message : String(error));
  }
  if (!response.ok) {
    const text = (await response.text()).trim();
    throw new ApiError(response.status, route, text || response.statusText);
  }
  return response;
}

async function json<T>(response: Response, route: string): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch {
    throw new ApiError(response.status, route, 'The answer is not JSON.');
  }
}

type WireNumber = number | 'NaN' | 'Infinity' | '-Infinity';
type WireEvidence = Omit<Evidence, 'value' | 'limit'> & {
  value: WireNumber;
  limit: WireNumber | null;
};
type WireFinding = Omit<Finding, 'evidence'> & { evidence: WireEvidence[] };
type WireRun = Omit<RunDetail, 'findings'> & { findings: WireFinding[] };
type WireReplay = Omit<Replay, 'findings'> & { findings: WireFinding[] };

/** Decodes by field, never by value: a layer may well be called "NaN". */
function decodeRun(run: WireRun): RunDetail {
  return {
    ...run,
    signals: run.signals.map(decodeSignal),
    findings: run.findings.map(decodeFinding),
  };
}

function decodeFinding(finding: WireFinding): Finding {
  return {
    ...finding,
    evidence: finding.evidence.map((item) => ({
      ...item,
      value: Number(item.value),
      limit: item.limit === null ? null : Number(item.limit),
    })),
  };
}

function decodeSignal(signal: Signal): Signal {
  const bound = (value: number | null) => (value === null ? null : Number(value));
  const { healthy, fields } = signal;
  return {
    ...signal,
    fields: fields.includes(SPREAD)
      ? [SPREAD, ...fields.filter((name) => name !== SPREAD)]
      : fields,
    healthy: healthy && [bound(healthy[0]), bound(healthy[1])],
  };
}

/** Of a distribution this says most; what counts as its first field is what all charts show. */
const SPREAD = 'std';

/** Reads the binary block of the `series` route: header, three float64 columns, float32 fields. */
export function decodeSeries(buffer: ArrayBuffer): Series {
  const headerBytes = buffer.byteLength >= 4 ? new DataView(buffer).getUint32(0, true) : 0;
  if (headerBytes === 0 || 4 + headerBytes > buffer.byteLength) {
    throw new ApiError(200, 'series', `The answer of ${buffer.byteLength} bytes has no header.`);
  }
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, headerBytes)));
  const { run, signal, fields, rows, points } = header;
  const expected = 4 + headerBytes + 24 * points + 4 * fields.length * rows * points;
  if (buffer.byteLength !== expected) {
    const got = buffer.byteLength;
    throw new ApiError(200, 'series', `The answer has ${got} bytes, its header says ${expected}.`);
  }
  const column = (index: number) =>
    new Float64Array(buffer, 4 + headerBytes + 8 * points * index, points);
  const body = 4 + headerBytes + 24 * points;
  const values: Record<string, Float32Array> = {};
  for (const [index, field] of (fields as string[]).entries()) {
    const size = rows * points;
    values[field] = new Float32Array(buffer, body + 4 * size * index, size);
  }
  const [steps, firstSteps, wallTimes] = [column(0), column(1), column(2)];
  return { run, signal, fields, rows, points, steps, firstSteps, wallTimes, values };
}
