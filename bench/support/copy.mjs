// COPY FROM STDIN over a connection of `pg`, also amid other statements: one simple query, one round trip, one transaction.

/** A query of `pg` that hands over data when the server asks for it. */
class CopyQuery {
  #rows = [];
  #error;

  constructor(text, chunks, { resolve, reject }) {
    this.text = text;
    this.chunks = chunks;
    this.resolve = resolve;
    this.reject = reject;
  }

  submit(connection) {
    connection.query(this.text);
  }

  handleCopyInResponse(connection) {
    for (const chunk of this.chunks) connection.sendCopyFromChunk(Buffer.from(chunk));
    connection.endCopyFrom();
  }

  handleRowDescription() {
    this.#rows = [];
  }

  handleDataRow({ fields }) {
    this.#rows.push(fields);
  }

  handleError(error) {
    this.#error = error;
    this.reject(error);
  }

  handleReadyForQuery() {
    if (!this.#error) this.resolve(this.#rows);
  }

  handleCommandComplete() {}
  handleEmptyQuery() {}
}

/**
 * @param text statements, of which one may be a COPY FROM STDIN
 * @param chunks of that one's rows, as text
 * @returns rows of the last statement that has any, their columns as text
 */
export function copyQuery(client, text, chunks = []) {
  return new Promise((resolve, reject) => client.query(new CopyQuery(text, chunks, { resolve, reject })));
}

/** A text as a column's value. */
export function copyText(text) {
  return /[\\\n\t\r]/.test(text) ? text.replace(/[\\\n\t\r]/g, (character) => ESCAPES[character]) : text;
}

const ESCAPES = { '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r' };
