// Who may import whom: the rooms of lib and their arrows. `make check` fails on any other arrow, and on a circle.

/** What each room of lib may import of lib. */
const ROOMS = {
  protocol: [],
  ring: [],
  handles: [],
  vitals: [],
  access: [],
  packets: ['ring/'],
  ledger: ['ring/', 'packets/'],
  sets: ['ring/', 'protocol/', 'packets/', 'ledger/'],
  chat: ['ring/', 'protocol/'],
  net: ['ring/', 'handles/', 'vitals/', 'protocol/', 'access/', 'packets/stock'],
  monitor: ['ring/'],
  control: ['monitor/', 'access/'],
};

const roomRules = Object.entries(ROOMS).map(([room, allowed]) => ({
  name: `${room}-imports-only-what-it-may`,
  severity: 'error',
  from: { path: `^lib/${room}/` },
  to: { path: '^(lib|clients|tools|test)/', pathNot: [`${room}/`, ...allowed].map((path) => `^lib/${path}`) },
}));

module.exports = {
  forbidden: [
    ...roomRules,
    {
      name: 'no-circle',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'the-server-stands-without-clients-and-tools',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(clients|tools|test)/' },
    },
    {
      name: 'the-protocol-stands-alone',
      comment: 'clients prove that protocol is enough to talk to a server',
      severity: 'error',
      from: { path: '^clients/' },
      to: { path: '^(lib|tools|test)/', pathNot: '^lib/(protocol|monitor|handles|vitals|access)/' },
    },
    {
      name: 'a-client-makes-no-tokens',
      comment: 'only the load client does, for the users that it plays',
      severity: 'error',
      from: { path: '^clients/', pathNot: '^clients/load/' },
      to: { path: '^lib/access/' },
    },
    {
      name: 'the-audit-shares-no-code-with-the-ledger',
      comment: 'a second reader that copied a mistake could not find it',
      severity: 'error',
      from: { path: '^tools/audit/' },
      to: { path: '^lib/', pathNot: '^lib/monitor/' },
    },
    {
      name: 'nothing-ships-a-test',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
    {
      name: 'what-is-imported-exists',
      severity: 'error',
      comment: 'node:ffi is newer than the list of Node modules that this tool has',
      from: {},
      to: { couldNotResolve: true, pathNot: '^ffi$' },
    },
    {
      name: 'what-ships-needs-no-development-package',
      severity: 'error',
      from: { path: '^(lib|clients|tools)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
