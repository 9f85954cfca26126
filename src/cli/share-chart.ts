// share-chart.ts -- the shares of instances as a picture: bars of plain characters, or SVG

/** One bar, or two where there is something to compare with. */
export interface ShareBar {
  readonly label: string;
  /** 0..1. */
  readonly share: number;
  readonly before: number | undefined;
}

export interface ShareChart {
  readonly title: string;
  /** What the bars are, and what those before are. */
  readonly name: string;
  readonly beforeName: string;
  readonly bars: readonly ShareBar[];
}

/** Most bars that a picture has; the rest is told as a number. */
const MAX_BARS = 40;
const MIN_WIDTH = 10;

/** Bars for a terminal of so many columns, `#` for the share and `-` for the one before; plain characters only. */
export function textChart({ name, beforeName, bars }: ShareChart, columns: number): string {
  const shown = bars.slice(0, MAX_BARS);
  const labelWidth = Math.min(24, Math.max(...shown.map(({ label }) => label.length)));
  const width = Math.max(MIN_WIDTH, columns - labelWidth - 12);
  const most = largest(shown);
  const lines = shown.flatMap(({ label, share, before }) => {
    const line = (head: string, part: number, mark: string): string =>
      `${head.slice(0, labelWidth).padEnd(labelWidth)}  ${mark.repeat(Math.round((part / most) * width))} ${percentText(part)}`;
    return [...(before === undefined ? [] : [line('', before, '-')]), line(label, share, '#')];
  });
  const hasBefore = shown.some(({ before }) => before !== undefined);
  const key = hasBefore ? `# ${name}, - ${beforeName}` : `# ${name}`;
  return `${[...lines, ...rest(bars), key].join('\n')}\n`;
}

const ROW = 22;
const LABEL_WIDTH = 150;
const BAR_WIDTH = 400;
const SVG_WIDTH = LABEL_WIDTH + BAR_WIDTH + 70;
const HEAD = 48;

/** The same as an SVG document. Its colours can be read on light and dark grounds. */
export function svgChart({ title, name, beforeName, bars }: ShareChart): string {
  const shown = bars.slice(0, MAX_BARS);
  const most = largest(shown);
  const hasBefore = shown.some(({ before }) => before !== undefined);
  const height = HEAD + (shown.length + rest(bars).length) * ROW + 8;
  const rows = shown.flatMap(({ label, share, before }, i) => {
    const top = HEAD + i * ROW;
    const bar = (part: number, y: number, thickness: number, color: string): string =>
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${round((part / most) * BAR_WIDTH)}" height="${thickness}" fill="${color}"/>`;
    return [
      `<text x="${LABEL_WIDTH - 8}" y="${top + 14}" text-anchor="end">${escapeXml(label)}</text>`,
      ...(before === undefined ? [] : [bar(before, top + 13, 4, BEFORE)]),
      bar(share, top + 2, before === undefined ? 15 : 10, NOW),
      `<text x="${round(LABEL_WIDTH + (Math.max(share, before ?? 0) / most) * BAR_WIDTH + 6)}" y="${top + 14}">${percentText(share)}</text>`,
    ];
  });
  const key = `${name}${hasBefore ? ` (thick), ${beforeName} (thin)` : ''}`;
  const more = rest(bars).map((text) => `<text x="8" y="${height - 12}">${escapeXml(text)}</text>`);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SVG_WIDTH}" height="${height}" viewBox="0 0 ${SVG_WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="${TEXT}">`,
    `<title>${escapeXml(title)}</title>`,
    `<text x="8" y="18" font-size="14" font-weight="bold">${escapeXml(title)}</text>`,
    `<text x="8" y="36">${escapeXml(key)}</text>`,
    ...rows,
    ...more,
    '</svg>',
  ].join('\n')}\n`;
}

const NOW = '#3b82c4';
const BEFORE = '#c98a2b';
const TEXT = '#7a7a7a';

function largest(bars: readonly ShareBar[]): number {
  return Math.max(...bars.map(({ share, before = 0 }) => Math.max(share, before)), Number.MIN_VALUE);
}

function rest(bars: readonly ShareBar[]): string[] {
  return bars.length > MAX_BARS ? [`... and ${bars.length - MAX_BARS} more`] : [];
}

function percentText(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`);
}
