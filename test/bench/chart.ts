// chart.ts -- CPU per answer of every server as bars, in SVG

import type { Spread } from './sample.ts';

/** What is drawn of a server. */
export interface ChartRow {
  readonly name: string;
  readonly title: string;
  readonly isFloor?: boolean;
  readonly cpuUs: Spread;
  readonly userUs: Spread;
}

const WIDTH = 760;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 120;
const BAR_HEIGHT = 20;
const ROW_HEIGHT = 34;
const TOP = 64;
const BOTTOM = 34;
const BAR_WIDTH = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
/** Bars that are longer than this many times the shortest would leave nothing to see of the others: they are cut. */
const MAX_TIMES_SHORTEST = 6;

const COLORS = {
  other: ['#c2571a', '#e8b48f'],
  own: ['#1b5e9e', '#9cc3e6'],
  floor: ['#777', '#ccc'],
  ink: '#222',
  faint: '#ddd',
} as const;

/** One bar a server, the cheapest first: user time, then system time, and a line from the lowest to the highest round. */
export function formatChart(
  summaries: readonly ChartRow[],
  caption: string,
  heading = 'Server CPU per answered query',
): string {
  const rows = [...summaries].sort((a, b) => a.cpuUs.median - b.cpuUs.median);
  const shortest = rows[0]?.cpuUs.median ?? 1;
  const limitUs = Math.min(rows.at(-1)?.cpuUs.max ?? 1, shortest * MAX_TIMES_SHORTEST) * 1.05;
  const height = TOP + rows.length * ROW_HEIGHT + BOTTOM;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
      'font-family="system-ui, sans-serif" font-size="13" role="img">',
    `<title>${heading}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(16, 24, `${heading}, microseconds`, 'font-size="16" font-weight="600"'),
    text(16, 44, `${caption}; dark: user, light: system, line: lowest to highest round`, 'fill="#555"'),
    ...grid(limitUs, TOP + rows.length * ROW_HEIGHT),
    ...rows.flatMap((row, at) => bar(row, TOP + at * ROW_HEIGHT, limitUs)),
    '</svg>',
  ].join('\n')}\n`;
}

function bar({ title, name, isFloor, cpuUs, userUs }: ChartRow, top: number, limitUs: number): string[] {
  const x = (valueUs: number): number => LABEL_WIDTH + (Math.min(valueUs, limitUs) / limitUs) * BAR_WIDTH;
  const isOwn = name.startsWith('rollcall');
  const [userColor, systemColor] = isFloor ? COLORS.floor : isOwn ? COLORS.own : COLORS.other;
  const isCut = cpuUs.median > limitUs;
  const middle = top + BAR_HEIGHT / 2;
  const end = x(cpuUs.median);
  const weight = isOwn ? ' font-weight="600"' : '';
  const shapes = [
    text(LABEL_WIDTH - 8, middle + 4, title, `text-anchor="end"${weight}`),
    rect(LABEL_WIDTH, top, x(userUs.median) - LABEL_WIDTH, userColor),
    rect(x(userUs.median), top, end - x(userUs.median), systemColor),
  ];
  if (isCut) {
    const cut = end - 26;
    shapes.push(`<path d="M${cut} ${top + 22}l6 -24h8l-6 24z" fill="#fff"/>`);
  } else {
    const [from, to] = [round(x(cpuUs.min)), round(x(cpuUs.max))];
    shapes.push(
      `<path d="M${from} ${middle}H${to}M${from} ${middle - 4}v8M${to} ${middle - 4}v8" stroke="${COLORS.ink}"/>`,
    );
  }
  const label = cpuUs.median < 100 ? cpuUs.median.toFixed(1) : cpuUs.median.toFixed(0);
  const labelAt = isCut ? end : Math.max(end, x(cpuUs.max));
  return [...shapes, text(labelAt + 8, middle + 4, label, weight)];
}

/** Lines at round values: four to eight of them. */
function grid(limitUs: number, bottom: number): string[] {
  const stepUs = [1, 2, 5, 10, 20, 50, 100].find((step) => limitUs / step <= 8) ?? limitUs;
  const lines: string[] = [];
  for (let valueUs = 0; valueUs <= limitUs; valueUs += stepUs) {
    const x = round(LABEL_WIDTH + (valueUs / limitUs) * BAR_WIDTH);
    lines.push(`<path d="M${x} ${TOP - 6}V${bottom}" stroke="${COLORS.faint}"/>`);
    lines.push(text(x, bottom + 18, String(valueUs), 'text-anchor="middle" fill="#555"'));
  }
  return lines;
}

function rect(x: number, y: number, width: number, color: string): string {
  return `<rect x="${round(x)}" y="${y}" width="${round(width)}" height="${BAR_HEIGHT}" fill="${color}"/>`;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${round(x)}" y="${y}" ${attributes}>${escaped}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
