/**
 * Which part of the sources may import which. The order, from the outside in:
 *   dialects, rpc, realtime, access -> batches -> queue, database -> common, config;   worker -> batches' store, operations, queue
 * @type {import('dependency-cruiser').IConfiguration}
 */
module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'Two files that import each other cannot be read, tested or moved one at a time, and with ES modules may die at start.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'common-and-config-know-nobody',
      comment: 'Everything imports them: whatever they imported would be everywhere.',
      severity: 'error',
      from: { path: '^src/(common/|config(-values|-edge)?\\.ts$)' },
      to: { path: '^src/', pathNot: '^src/(common/|config(-values|-edge)?\\.ts$)' },
    },
    {
      name: 'interfaces-call-procedures',
      comment: 'All interfaces take one road: a rule that a command checks must not be passed by on the way to a table or a worker.',
      severity: 'error',
      from: { path: '^src/(dialects|rpc|realtime|access)/' },
      to: { path: '^src/([^/]+/(entities|store)|worker|database)/' },
    },
    {
      name: 'batches-know-no-interface',
      comment: 'The engine works the same whoever calls it, and a worker runs without any interface.',
      severity: 'error',
      from: { path: '^src/batches/' },
      to: { path: '^src/(dialects|rpc|realtime|access|worker)/' },
    },
    {
      name: 'procedures-stand-alone',
      comment:
        'A use case is read in one file. What two of them share is a store function or a plain function, not one of them. ' +
        'Those of another part are called over the bus, like from any interface.',
      severity: 'error',
      from: { path: '^src/([^/]+)/.*\\.(command|query)\\.ts$' },
      to: { path: '^src/$1/.*\\.(command|query)\\.ts$' },
    },
    {
      name: 'worker-works-on-the-store',
      comment: 'The hot path costs no procedure call, and a worker process loads no interface.',
      severity: 'error',
      from: { path: '^src/worker/' },
      to: { path: '^src/(batches/(commands|queries)|dialects|rpc|realtime|access)/' },
    },
    {
      name: 'item-handlers-are-plug-ins',
      comment: 'Who writes an operation has one interface to learn, and cannot break the engine.',
      severity: 'error',
      from: { path: '^(src/.*)/[^/]+\\.item-handler\\.ts$' },
      to: {
        path: '^src/',
        pathNot: ['^src/operations/item-handler\\.ts$', '^src/(common|records|ai|breakers)/', '^src/config\\.ts$', '^$1/'],
      },
    },
    {
      name: 'item-handlers-know-no-other',
      comment: 'An operation can be added or removed without looking at the others.',
      severity: 'error',
      from: { path: '\\.item-handler\\.ts$' },
      to: { path: '\\.item-handler\\.ts$' },
    },
    {
      name: 'queue-knows-nobody',
      comment: 'The queue rings bells. It carries no fact, so it needs to know none.',
      severity: 'error',
      from: { path: '^src/queue/' },
      to: { path: '^src/', pathNot: '^src/(queue/|common/|config\\.ts$)' },
    },
    {
      name: 'database-knows-tables-only',
      comment: 'It connects and migrates; what the tables mean is for their owners to know.',
      severity: 'error',
      from: { path: '^src/database/' },
      to: { path: '^src/', pathNot: '^src/(database/|common/|config\\.ts$|.*\\.entity\\.ts$)' },
    },
    {
      name: 'bull-behind-the-queue',
      comment: 'Bull is replaceable, and one machine runs without it: its types and errors stay where the queue is.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(queue|worker)/' },
      to: { path: 'node_modules/(bull|@nestjs/bull|@nestjs/bull-shared)/' },
    },
    {
      name: 'no-development-packages',
      comment: 'They are not installed in production.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-optional', 'type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Types too: a type is knowledge like any other.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
