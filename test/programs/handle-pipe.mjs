// A handler that passes on what it gets.
export default (flow) => {
  flow.client.pipe(flow.server);
  flow.server.pipe(flow.client);
};
