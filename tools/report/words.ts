// Every text of the report, in both languages; what is in braces is filled in. A new character needs its glyph: font/README.md.

import type { RunHeader } from '../../lib/monitor/run-log.ts';
import type { Role } from '../../lib/monitor/sample.ts';

export const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];

/** The texts of one chart. */
export interface ChartWords {
  title: string;
  /** One line that says what it shows. */
  shows: string;
  /** Names and units of the axes of values; `right` only where there are two. */
  left: string;
  right?: string;
  /** Names of its lines, as the legend has them. */
  lines: Record<string, string>;
}

/** Charts in the order of the page; the name of each is the name of its files. */
export const CHART_NAMES = [
  'client-requests',
  'server-requests',
  'requests-both-ends',
  'packets-released',
  'packets-won',
  'money-both-ends',
  'client-latency',
  'client-latency-heat',
  'connections',
  'pauses',
  'server-latency',
  'shedding',
  'journal',
  'network',
] as const;
export type ChartName = (typeof CHART_NAMES)[number];

export interface Words {
  /** For numbers, and for the page. */
  locale: string;
  charts: Record<ChartName, ChartWords>;
  xAxis: string;
  /** How times are written, in runs of less than an hour and in longer ones. */
  clock: string;
  longClock: string;
  /** Beside the colours of the heat map. */
  heatScale: string;
  /** The page from top to bottom. */
  heading: string;
  header: Record<Exclude<keyof RunHeader, 'machine'> | 'duration' | 'cpu' | 'memory' | 'platform' | 'node', string>;
  passed: string;
  failed: string;
  verdictPassed: string;
  verdictFailed: string;
  noVerdict: string;
  checks: Record<'caption' | 'what' | 'target' | 'reached' | 'result', string>;
  bothEnds: Record<'caption' | 'what' | 'client' | 'server' | 'difference' | 'yuan', string>;
  marks: Record<'caption' | 'at' | 'text', string>;
  chartsCaption: string;
  noteThinned: string;
  noteHeat: string;
  notDrawn: string;
  leftOut: string;
  noSamples: Record<Role, string>;
  noNames: Record<Role, string>;
  footer: string;
}

const en: Words = {
  locale: 'en-US',
  charts: {
    'client-requests': {
      title: 'Client: requests per second',
      shows: 'Shakes that the load clients sent, and the answers they received.',
      left: 'requests/s',
      lines: { sent: 'sent', answered: 'answered' },
    },
    'server-requests': {
      title: 'Server: requests per second',
      shows: 'Requests that the server read: shakes, and all kinds together.',
      left: 'requests/s',
      lines: { shakes: 'shakes', all: 'all requests' },
    },
    'requests-both-ends': {
      title: 'Requests per second, both ends',
      shows: 'Shakes sent by the clients, and shakes read by the server: the two lines should cover each other.',
      left: 'requests/s',
      lines: { server: 'server: read', client: 'client: sent' },
    },
    'packets-released': {
      title: 'Server: packets released per second',
      shows: 'Packets released to be won by shaking, and packets sent to users.',
      left: 'packets/s',
      lines: { released: 'released', sent: 'sent' },
    },
    'packets-won': {
      title: 'Client: packets won per second',
      shows: 'Shakes that won a packet, and grabs that won a share, as the clients were told.',
      left: 'packets/s',
      lines: { won: 'shakes won', grabbed: 'grabs won' },
    },
    'money-both-ends': {
      title: 'Money created and received, both ends',
      shows:
        'Since the first sample: put into packets, won as the server counts it, and received as the clients count it.',
      left: 'yuan',
      lines: { created: 'server: put into packets', won: 'server: won', received: 'client: received' },
    },
    'client-latency': {
      title: 'Client: latency of a shake',
      shows: 'Within these times 50 %, 99 % and 99.9 % of the shakes of each second were answered.',
      left: 'latency, ms (log scale)',
      lines: { p50: 'p50', p99: 'p99', p999: 'p99.9' },
    },
    'client-latency-heat': {
      title: 'Client: how many shakes took how long',
      shows: 'A cell is a stretch of time and a range of latency: the darker it is, the more shakes fell into it.',
      left: 'latency, ms (log scale)',
      lines: { shakes: 'shakes' },
    },
    connections: {
      title: 'Connections',
      shows: 'Connections open at the server, and users that the clients hold connected and logged in.',
      left: 'connections',
      lines: { server: 'server: open', client: 'client: logged in' },
    },
    pauses: {
      title: 'Pauses for garbage collection, and event loop delay',
      shows: 'In each second, the longest pause, and the longest that something due had to wait for an event loop.',
      left: 'ms',
      lines: {
        serverGc: 'server: longest pause',
        serverLoop: 'server: longest loop delay',
        clientGc: 'client: longest pause',
        clientLoop: 'client: longest loop delay',
      },
    },
    'server-latency': {
      title: 'Server: latency inside the server',
      shows: 'Within these times 99 % of the shakes and of the grabs of each second were done in the server.',
      left: 'latency, ms (log scale)',
      lines: { shake: 'shake p99', grab: 'grab p99' },
    },
    shedding: {
      title: 'Too much to do: what is shed, and what grabs feel of it',
      shows: 'Shakes sent, answered, and shed per second (left axis); 99 % of grabs were answered within (right axis).',
      left: 'shakes/s',
      right: 'ms',
      lines: { sent: 'client: sent', answered: 'client: answered', shed: 'server: shed', grab: 'client: grab p99, ms' },
    },
    journal: {
      title: 'Server: journal',
      shows: 'Mean time of a sync to the disk (left axis), and batches written per second (right axis).',
      left: 'ms per sync',
      right: 'batches/s',
      lines: { sync: 'mean time of a sync, ms', batches: 'batches/s' },
    },
    network: {
      title: 'Server: network packets per second',
      shows:
        "Packets that the machine's network interfaces received and sent, beside the requests that the server read.",
      left: 'packets/s, requests/s',
      lines: { received: 'packets received', sent: 'packets sent', requests: 'requests read' },
    },
  },
  xAxis: 'time since the first sample, {clock}',
  clock: 'm:ss',
  longClock: 'h:mm:ss',
  heatScale: 'shakes/s',
  heading: 'Run {name}',
  header: {
    program: 'Program',
    name: 'Run',
    startedAt: 'Started',
    duration: 'Duration, {clock}',
    cpu: 'Processor',
    memory: 'Memory',
    platform: 'System',
    node: 'Node.js',
  },
  passed: 'passed',
  failed: 'FAILED',
  verdictPassed: 'Verdict: passed',
  verdictFailed: 'Verdict: FAILED',
  noVerdict: 'This run has no verdict: it was no experiment, or did not come to its end.',
  checks: { caption: 'Checks', what: 'Check', target: 'Wanted', reached: 'Reached', result: 'Result' },
  bothEnds: {
    caption: 'Both ends',
    what: 'Counted',
    client: 'Client',
    server: 'Server',
    difference: 'Client − server',
    yuan: '{what}, yuan',
  },
  marks: { caption: 'Marks', at: 'At, {clock}', text: 'Mark' },
  chartsCaption: 'Charts',
  noteThinned:
    'A point of a line stands for {seconds} s: the mean of rates and connections, the largest of latencies and pauses, ' +
    'the last of running totals.',
  noteHeat: 'A column of the heat map stands for {seconds} s.',
  notDrawn: 'Not drawn: {line}: {reason}.',
  leftOut: 'Charts left out',
  noSamples: { server: 'the run has no samples of a server', client: 'the run has no samples of load clients' },
  noNames: {
    server: 'the samples of the server have no {names}',
    client: 'the samples of the clients have no {names}',
  },
  footer: '{samples} samples, {marks} marks, {badLines} lines that could not be read.',
};

const zh: Words = {
  locale: 'zh-CN',
  charts: {
    'client-requests': {
      title: '客户端：每秒请求数',
      shows: '压测客户端每秒发出的摇红包请求，以及收到的应答。',
      left: '请求数/秒',
      lines: { sent: '发出', answered: '收到应答' },
    },
    'server-requests': {
      title: '服务器：每秒请求数',
      shows: '服务器每秒读到的请求：摇红包请求，以及全部请求。',
      left: '请求数/秒',
      lines: { shakes: '摇红包', all: '全部请求' },
    },
    'requests-both-ends': {
      title: '两端每秒请求数对照',
      shows: '客户端发出与服务器读到的摇红包请求：两条线应当重合。',
      left: '请求数/秒',
      lines: { server: '服务器：读到', client: '客户端：发出' },
    },
    'packets-released': {
      title: '服务器：每秒发放红包数',
      shows: '每秒放出供摇取的红包，以及用户发出的红包。',
      left: '红包数/秒',
      lines: { released: '放出', sent: '发给用户' },
    },
    'packets-won': {
      title: '客户端：每秒获得红包数',
      shows: '客户端得知的结果：摇中的红包，以及抢到的份数。',
      left: '红包数/秒',
      lines: { won: '摇中', grabbed: '抢到' },
    },
    'money-both-ends': {
      title: '两端金额对照：放入与收到',
      shows: '自第一个样本起累计：放入红包的金额、服务器记录的获得金额、客户端收到的金额。',
      left: '元',
      lines: { created: '服务器：放入红包', won: '服务器：已获得', received: '客户端：收到' },
    },
    'client-latency': {
      title: '客户端：摇红包延迟',
      shows: '每秒内 50 %、99 % 和 99.9 % 的摇红包请求在此时间内得到应答。',
      left: '延迟，毫秒（对数刻度）',
      lines: { p50: 'p50', p99: 'p99', p999: 'p99.9' },
    },
    'client-latency-heat': {
      title: '客户端：摇红包延迟热力图',
      shows: '每格是一段时间内的一段延迟：颜色越深，落入其中的请求越多。',
      left: '延迟，毫秒（对数刻度）',
      lines: { shakes: '摇红包' },
    },
    connections: {
      title: '连接数',
      shows: '服务器上打开的连接，以及客户端已连接并登录的用户。',
      left: '连接数',
      lines: { server: '服务器：打开', client: '客户端：已登录' },
    },
    pauses: {
      title: '垃圾回收停顿与事件循环延迟',
      shows: '每秒内最长的垃圾回收停顿，以及到期任务等待事件循环的最长时间。',
      left: '毫秒',
      lines: {
        serverGc: '服务器：最长停顿',
        serverLoop: '服务器：最长循环延迟',
        clientGc: '客户端：最长停顿',
        clientLoop: '客户端：最长循环延迟',
      },
    },
    'server-latency': {
      title: '服务器：内部延迟',
      shows: '每秒内 99 % 的摇红包与抢红包请求在此时间内由服务器处理完毕。',
      left: '延迟，毫秒（对数刻度）',
      lines: { shake: '摇红包 p99', grab: '抢红包 p99' },
    },
    shedding: {
      title: '过载：减少的摇一摇与抢红包的感受',
      shows: '每秒发出、收到应答、被丢弃的摇一摇（左轴）；99 % 的抢红包在此时间内得到应答（右轴）。',
      left: '摇一摇/秒',
      right: '毫秒',
      lines: {
        sent: '客户端：发出',
        answered: '客户端：收到应答',
        shed: '服务器：丢弃',
        grab: '客户端：抢红包 p99，毫秒',
      },
    },
    journal: {
      title: '服务器：日志落盘',
      shows: '平均每次同步到磁盘的时间（左轴），以及每秒写入的批数（右轴）。',
      left: '毫秒/次',
      right: '批数/秒',
      lines: { sync: '平均同步时间，毫秒', batches: '批数/秒' },
    },
    network: {
      title: '服务器：每秒网络包数',
      shows: '本机网络接口收到与发出的包，以及服务器读到的请求。',
      left: '包数/秒，请求数/秒',
      lines: { received: '收到的包', sent: '发出的包', requests: '读到的请求' },
    },
  },
  xAxis: '自第一个样本起的时间，{clock}',
  clock: '分:秒',
  longClock: '时:分:秒',
  heatScale: '请求数/秒',
  heading: '运行 {name}',
  header: {
    program: '程序',
    name: '运行',
    startedAt: '开始时间',
    duration: '时长，{clock}',
    cpu: '处理器',
    memory: '内存',
    platform: '系统',
    node: 'Node.js',
  },
  passed: '通过',
  failed: '未通过',
  verdictPassed: '结论：通过',
  verdictFailed: '结论：未通过',
  noVerdict: '本次运行没有结论：不是实验，或者没有运行到结束。',
  checks: { caption: '检查项', what: '检查', target: '要求', reached: '实际', result: '结果' },
  bothEnds: {
    caption: '两端对照',
    what: '项目',
    client: '客户端',
    server: '服务器',
    difference: '客户端 − 服务器',
    yuan: '{what}，元',
  },
  marks: { caption: '标记', at: '时间，{clock}', text: '标记' },
  chartsCaption: '图表',
  noteThinned: '线上每个点代表 {seconds} 秒：速率与连接数取平均值，延迟与停顿取最大值，累计值取最后一个。',
  noteHeat: '热力图每列代表 {seconds} 秒。',
  notDrawn: '未画出：{line}：{reason}。',
  leftOut: '略去的图表',
  noSamples: { server: '本次运行没有服务器的样本', client: '本次运行没有压测客户端的样本' },
  noNames: { server: '服务器的样本里没有 {names}', client: '客户端的样本里没有 {names}' },
  footer: '{samples} 个样本，{marks} 个标记，{badLines} 行无法读取。',
};

/** Chinese units of large numbers on axes come from the locale, not from a text above. */
const LOCALE_CHARACTERS = '万亿';

/** What marks of a run are likely to be written with, beside the characters of the texts above. */
const MARK_CHARACTERS =
  '一二三四五六七八九十第阶段开始完成预热稳定改变加倍恢复断重启停暂继续调整目标次轮批增减压力—–→≥≤≈';

export const WORDS: Record<Language, Words> = { en, zh };

/** Every character that a chart may show, in ascending order: printable ASCII, and what the texts use beyond it. */
export const FONT_CHARACTERS: string = [
  ...new Set([
    ...Array.from({ length: 0x7f - 0x20 }, (_, i) => String.fromCharCode(0x20 + i)),
    ...JSON.stringify(WORDS),
    ...LOCALE_CHARACTERS,
    ...MARK_CHARACTERS,
  ]),
]
  .sort()
  .join('');

/** How the times of a run are written. */
export function nameClock(words: Words, lengthSeconds: number): string {
  return lengthSeconds < 3600 ? words.clock : words.longClock;
}

/** A text with its braces filled in. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]));
}
