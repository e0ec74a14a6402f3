/**
 * Production is ESM; tests run as CommonJS, because Jest has no require(esm) before Node 24.9, and some CommonJS packages require
 * ESM-only ones (@fastify/static requires content-disposition, for instance).
 * @type {import('jest').Config}
 */
export default {
  testEnvironment: 'node',
  // Some packages publish no "require" condition.
  testEnvironmentOptions: { customExportConditions: ['node', 'module-sync'] },
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['<rootDir>/test/**/*.{spec,e2e-spec}.ts'],
  // They start clusters of processes: scripts/test.mjs runs them after all others, `npm run test:faults` by themselves.
  testPathIgnorePatterns: ['/node_modules/', ...(process.env.FAULTS_SCALE ? [] : ['<rootDir>/test/faults/trials/'])],
  moduleFileExtensions: ['js', 'ts', 'mjs', 'cjs', 'json', 'node'],
  transform: { '^.+\\.(?:[tj]s|mjs)$': ['@swc/jest', { module: { type: 'commonjs' } }] },
  // Packages too are compiled, once (about 10 s), and then cached.
  transformIgnorePatterns: [],
  // Sources import "./x.js", as Node wants it; the file on disk is "./x.ts".
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    // Its CommonJS form imports pdf.js dynamically, which Jest cannot do in a file that it does not compile.
    '^unpdf$': '<rootDir>/node_modules/unpdf/dist/index.mjs',
    '^unpdf/pdfjs$': '<rootDir>/node_modules/unpdf/dist/pdfjs.mjs',
  },
  setupFiles: ['reflect-metadata'],
  cacheDirectory: '<rootDir>/.jest-cache',
  maxWorkers: 2,
  // Each test file loads the whole framework anew, and a worker's heap would grow with every one.
  workerIdleMemoryLimit: '1GB',
  testTimeout: 30_000,
};
