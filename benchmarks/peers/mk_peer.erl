%% One node of a BEAM cluster for `npm run bench -- peers`: m0 measures and is asked on its standard input, the others
%% answer. All end with m0's input.
-module(mk_peer).
-behaviour(gen_server).
-export([root/0, member/0, init/1, handle_call/3, handle_cast/2]).

-define(ROOT, 'm0@127.0.0.1').
-define(PAYLOAD, 64).

member() ->
    serve(),
    connect(6000),
    erlang:monitor_node(?ROOT, true),
    await_mesh(),
    {root, ?ROOT} ! meshed,
    receive {nodedown, ?ROOT} -> halt() end.

connect(0) -> halt(1);
connect(Left) ->
    case net_kernel:connect_node(?ROOT) of
        true -> ok;
        _ -> timer:sleep(10), connect(Left - 1)
    end.

root() ->
    register(root, self()),
    serve(),
    await_mesh(),
    [receive meshed -> ok end || _ <- nodes()],
    io:format("ready~n"),
    obey().

%% Global connects each node to all others once it is connected to one; `global:trans` needs them to know each other.
await_mesh() ->
    {ok, [[N]]} = init:get_argument(cores),
    await_nodes(list_to_integer(N) - 1).

await_nodes(N) ->
    case length(nodes()) of
        N -> ok;
        _ -> timer:sleep(5), await_nodes(N)
    end.

serve() ->
    register(echo, spawn(fun echo/0)),
    gen_server:start({local, server}, ?MODULE, [], []).

echo() ->
    receive {From, Payload} -> From ! {node(), Payload}, echo() end.

init([]) -> {ok, none}.
handle_call(Payload, _, State) -> {reply, Payload, State}.
handle_cast(_, State) -> {noreply, State}.

obey() ->
    case io:get_line("") of
        eof -> halt();
        Line ->
            [What, Count] = string:lexemes(string:trim(Line), " "),
            io:format("~w~n", [median(work(list_to_atom(What)), list_to_integer(Count))]),
            obey()
    end.

work(send) -> Near = hd(lists:sort(nodes())), fun() -> round_over([Near]) end;
work(call) -> Near = hd(lists:sort(nodes())), fun() -> gen_server:call({server, Near}, <<0:(8 * ?PAYLOAD)>>) end;
work(round) -> Others = nodes(), fun() -> round_over(Others) end;
work(two) -> Others = nodes(), fun() -> round_over(Others), round_over(Others) end;
work(trans) ->
    All = [node() | nodes()],
    fun() -> global:trans({bench, self()}, fun() -> ok end, All) end.

round_over(Others) ->
    Payload = <<0:(8 * ?PAYLOAD)>>,
    [{echo, Node} ! {self(), Payload} || Node <- Others],
    [receive {Node, _} -> ok end || Node <- Others].

%% Nanoseconds.
median(Work, Count) ->
    Times = [begin
                 Before = erlang:monotonic_time(nanosecond),
                 Work(),
                 erlang:monotonic_time(nanosecond) - Before
             end || _ <- lists:seq(1, Count)],
    lists:nth(1 + Count div 2, lists:sort(Times)).
