export class LiveReply {
  status: 'ok';
}
