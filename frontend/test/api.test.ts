import { describe, expect, it } from 'vitest';
import { ApiError, createApi, decodeSeries } from '../src/api';
import { NOT_MEASURED } from '../src/wire';
import { detail, finding, signal } from './builders';

function fetcher(answer: () => Response): { urls: string[]; fetch: typeof fetch } {
  const urls: string[] = [];
  const fake = async (url: string | URL | Request) => {
    urls.push(String(url));
    return answer();
  };
  return { urls, fetch: fake as typeof fetch };
}

/** As the server writes it. */
function block(fields: string[], rows: number, points: number, values: number[]): ArrayBuffer {
  const header = JSON.stringify({ run: 'cnn', signal: 'loss', fields, rows, points });
  const padded = header.padEnd(Math.ceil((4 + header.length) / 8) * 8 - 4);
  const bytes = new TextEncoder().encode(padded);
  const buffer = new ArrayBuffer(4 + bytes.length + 24 * points + 4 * values.length);
  const view = new DataView(buffer);
  view.setUint32(0, bytes.length, true);
  new Uint8Array(buffer).set(bytes, 4);
  const at = 4 + bytes.length;
  for (let point = 0; point < points; point++) {
    view.setFloat64(at + 8 * point, 10 * point + 9, true);
    view.setFloat64(at + 8 * (points + point), 10 * point, true);
    view.setFloat64(at + 8 * (2 * points + point), 1e9 + point, true);
  }
  values.forEach((value, index) => {
    view.setFloat32(at + 24 * points + 4 * index, value, true);
  });
  return buffer;
}

const odd = () => ({ label: '', unit: '', signal: 'loss', step: 3, row: '' });

describe('createApi', () => {
  it('asks relative to the document, with names encoded', async () => {
    const { urls, fetch } = fetcher(() => Response.json(detail()));
    await createApi(fetch).run('a/b&c=d');
    expect(urls).toEqual(['./run?run=a%2Fb%26c%3Dd']);
  });

  it('decodes numbers that are not finite, and only where numbers belong', async () => {
    const evidence = {
      label: 'NaN',
      value: 'NaN',
      limit: '-Infinity',
      unit: '',
      signal: 'loss',
      step: 3,
      row: 'Infinity',
    };
    const body = {
      ...detail(),
      findings: [{ ...finding({ title: 'NaN' }), evidence: [evidence] }],
    };
    const run = await createApi(fetcher(() => Response.json(body)).fetch).run('cnn');
    const [item] = run.findings[0]?.evidence ?? [];
    expect(run.findings[0]?.title).toBe('NaN');
    expect(item).toMatchObject({
      label: 'NaN',
      value: Number.NaN,
      limit: Number.NEGATIVE_INFINITY,
      row: 'Infinity',
    });
  });

  it('decodes an infinite bound of what is usual', async () => {
    const body = { ...detail(), signals: [{ ...signal(), healthy: ['-Infinity', null] }] };
    const run = await createApi(fetcher(() => Response.json(body)).fetch).run('cnn');
    expect(run.signals[0]?.healthy).toEqual([Number.NEGATIVE_INFINITY, null]);
  });

  it('puts the spread of a distribution before its other fields', async () => {
    const fields = ['count', 'mean', 'std', 'min'];
    const body = { ...detail(), signals: [signal({ fields }), signal()] };
    const run = await createApi(fetcher(() => Response.json(body)).fetch).run('cnn');
    expect(run.signals.map((item) => item.fields)).toEqual([
      ['std', 'count', 'mean', 'min'],
      ['mean', 'min', 'max'],
    ]);
  });

  it('asks for the part of a signal that is wanted, and for no more', async () => {
    const { urls, fetch } = fetcher(() => new Response(block(['mean'], 1, 1, [1])));
    const part = { fields: ['mean', 'max'], rows: null, points: 400, steps: null };
    await createApi(fetch).series('cnn', 'loss', part);
    await createApi(fetch).series('cnn', 'loss', { ...part, rows: [3, 5], steps: [10, 20] });
    await createApi(fetch).flight('cnn', 'dead_units#2', 'loss');
    expect(urls).toEqual([
      './series?run=cnn&signal=loss&fields=mean%2Cmax&points=400',
      './series?run=cnn&signal=loss&fields=mean%2Cmax&points=400&rows=3%2C5&steps=10%2C20',
      './flight?run=cnn&finding=dead_units%232&signal=loss',
    ]);
  });

  it('tries other limits and decodes what was found', async () => {
    const evidence = { ...odd(), value: 'NaN', limit: null };
    const body = {
      run: 'cnn',
      limits: {},
      findings: [{ ...finding(), evidence: [evidence] }],
      rules: [],
    };
    const { urls, fetch } = fetcher(() => Response.json(body));
    const replay = await createApi(fetch).replay('cnn', { dead_units: { warning: 0.3 } });
    expect(urls).toEqual([
      './replay?run=cnn&limits=%7B%22dead_units%22%3A%7B%22warning%22%3A0.3%7D%7D',
    ]);
    expect(replay.findings[0]?.evidence[0]?.value).toBeNaN();
  });

  it('passes on the sentence of the server', async () => {
    const { fetch } = fetcher(() => new Response('There is no run "x".\n', { status: 404 }));
    const error = await createApi(fetch)
      .run('x')
      .catch((reason) => reason);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 404, route: 'run', reason: 'There is no run "x".' });
  });

  it('gives status 0 when the server cannot be reached', async () => {
    const fetch = () => Promise.reject(new TypeError('Failed to fetch'));
    const error = await createApi(fetch)
      .runs()
      .catch((reason) => reason);
    expect(error).toMatchObject({ status: 0, route: 'runs', reason: 'Failed to fetch' });
  });

  it('says so when the answer is not JSON', async () => {
    const { fetch } = fetcher(() => new Response('<html>'));
    await expect(createApi(fetch).runs()).rejects.toMatchObject({
      reason: 'The answer is not JSON.',
    });
  });
});

describe('decodeSeries', () => {
  it('reads steps, fields and every kind of value', () => {
    const mean = [1, Number.NaN, Number.POSITIVE_INFINITY, NOT_MEASURED];
    const decoded = decodeSeries(block(['mean', 'max'], 2, 2, [...mean, 5, 6, 7, 8]));
    expect([...decoded.steps]).toEqual([9, 19]);
    expect([...decoded.firstSteps]).toEqual([0, 10]);
    expect([...decoded.wallTimes]).toEqual([1e9, 1e9 + 1]);
    expect([...(decoded.values.mean ?? [])]).toEqual(mean);
    expect([...(decoded.values.max ?? [])]).toEqual([5, 6, 7, 8]);
  });

  it('reads a series without points', () => {
    expect(decodeSeries(block(['mean'], 3, 0, [])).values.mean).toHaveLength(0);
  });

  it('names both sizes when bytes are missing', () => {
    const whole = block(['mean'], 1, 2, [1, 2]);
    const cut = whole.slice(0, whole.byteLength - 4);
    expect(() => decodeSeries(cut)).toThrow(
      `has ${cut.byteLength} bytes, its header says ${whole.byteLength}`,
    );
  });

  it('rejects an answer without a header', () => {
    expect(() => decodeSeries(new ArrayBuffer(2))).toThrow('2 bytes has no header');
  });
});
