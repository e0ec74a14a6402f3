import { Injectable, type Type } from '@nestjs/common';
import { Command, CommandBus, type Query, QueryBus } from '@nestjs/cqrs';
import { checkInput } from './check-input.js';

/** Who calls. Made from the credential and the route, never from the request's body. */
export interface Caller {
  tenant: string;
  /** The user or key that calls; kept as the creator of what it creates. */
  subject?: string;
  /** The subject is one person, known by a token, who speaks for nobody else. */
  personal?: boolean;
  /** The interface it came through: decides the shape of new ids, default options and retention. Default: native. */
  dialect?: Dialect;
  /** Set when what it asks for is made once, however often it asks; see src/idempotency. */
  once?: OnceClaim;
}

/** A request's claim to an idempotency key, which a procedure that makes something commits together with it. */
export interface OnceClaim {
  key: string;
  /** Who holds the key. */
  token: string;
  /** What a procedure gave back at an earlier try, whose answer was lost: it is given back again, and nothing is made. */
  made?: MadeBefore;
  /** What the procedure around the one that makes something gives back, made of what the inner one does. */
  within?: (inner: unknown) => MadeBefore;
}

export interface MadeBefore {
  /** Its class's name. */
  procedure: string;
  output: unknown;
}

/** The caller of a procedure that is called within another one, whose output is the one to remember. */
export function callerWithin<Inner, Output>(caller: Caller, outer: Type<Procedure<Output>>, toOutput: (inner: Inner) => Output): Caller {
  const { once } = caller;
  if (!once) return caller;
  return { ...caller, once: { ...once, within: (inner) => ({ procedure: outer.name, output: toOutput(inner as Inner) }) } };
}

export const DIALECTS = ['native', 'erp', 'annotations', 'uploads', 'batch-service', 'documents'] as const;

export type Dialect = (typeof DIALECTS)[number];

/** A command or query on behalf of a caller. Its own fields are the checked input; `caller` is added by {@link Procedures}. */
export type Procedure<Output = unknown> = (Command<Output> | Query<Output>) & { caller: Caller };

export type OutputOf<P> = P extends Command<infer Output> ? Output : P extends Query<infer Output> ? Output : never;

/** What a caller gives: the fields of the procedure's class without what the server adds. */
export type InputOf<P> = { [Field in keyof P as Field extends 'caller' | symbol ? never : Field]: P[Field] };

/**
 * A command or query on behalf of a caller, for CQRS's own buses: `commandBus.execute(toProcedure(CreateBatch, input, caller))`.
 * @param input a plain object; a field the class does not declare is refused
 * @throws AppError INVALID_INPUT with one entry for each wrong field
 */
export function toProcedure<P extends Procedure>(type: Type<P>, input: InputOf<P>, caller: Caller): P {
  return Object.assign(checkInput(type, input), { caller });
}

/** The one road of every interface to a command or query: check the input, name the caller, dispatch. */
@Injectable()
export class Procedures {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  /** Makes it (see {@link toProcedure}) and executes it, unless it was executed for the same request before. */
  async call<P extends Procedure>(procedure: Type<P>, input: InputOf<P>, caller: Caller): Promise<OutputOf<P>> {
    const message = toProcedure(procedure, input, caller);
    const made = caller.once?.made;
    if (made?.procedure === procedure.name) return made.output as OutputOf<P>;
    const output = message instanceof Command ? this.commands.execute(message) : this.queries.execute(message as Query<unknown>);
    return output as Promise<OutputOf<P>>;
  }
}
