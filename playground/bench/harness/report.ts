/** A figure of a report. */
export interface Column {
  /** Its key in a row's figures. */
  readonly key: string
  /** Its heading, with the unit. */
  readonly label: string
  /** How it is printed. */
  format(figure: number): string
}

/** One contestant's figures. */
export interface Row {
  readonly contestant: string
  readonly version: string | null
  readonly figures: Readonly<Record<string, number>>
  /** Every round's figures, in the order of the rounds. */
  readonly rounds: readonly Readonly<Record<string, number>>[]
}

/** A table. */
export interface Report {
  readonly title: string
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
  /** A remark on these figures, printed below them. */
  readonly remark?: string
}

/** Columns of numbers with `digits` decimals and what follows them. */
export function column(key: string, label: string, digits: number, suffix = ''): Column {
  return { key, label, format: (figure) => figure.toFixed(digits) + suffix }
}

/** A ratio whose highest value is this many times its lowest does not say much. */
const RESTLESS = 1.3

/** The remark on rows whose ratios differ much from round to round, if they do. */
export function restlessRemark(rows: readonly { readonly figures: { readonly lowest: number; readonly highest: number } }[]): Pick<Report, 'remark'> {
  if (!rows.some(({ figures }) => figures.highest / figures.lowest > RESTLESS)) return {}
  return { remark: 'The rounds differ much: other programs keep this machine busy. Repeat this when it is quiet.' }
}

/** The middle of some figures. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b)
  const half = Math.floor(sorted.length / 2)
  const upper = sorted[half] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2
}

/** A report as text, with aligned columns. */
export function tableText(report: Report): string {
  const lines = [
    ['', ...report.columns.map(({ label }) => label)],
    ...report.rows.map(({ contestant, version, figures }) => [
      version === null ? contestant : `${contestant} ${version}`,
      ...report.columns.map(({ key, format }) => {
        const figure = figures[key]
        return figure === undefined ? '-' : format(figure)
      }),
    ]),
  ]
  const widths = lines[0]?.map((_, at) => Math.max(...lines.map((cells) => cells[at]?.length ?? 0))) ?? []
  const body = lines.map((cells) => cells
    .map((cell, at) => at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))
    .join('  '))
  const remark = report.remark === undefined ? [] : [report.remark]
  return [report.title, ...[...body, ...remark].map((line) => `  ${line}`)].join('\n')
}
