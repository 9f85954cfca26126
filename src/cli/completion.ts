// completion.ts -- `rollcall completion`: a script that completes commands and options in a shell

import { Argument, type Command } from 'commander';
import type { Shell } from './client-command.ts';

/** Add the command; it knows the commands that stand beside it when it is run. */
export function addCompletionCommand(program: Command, shell: Shell): void {
  program
    .command('completion')
    .description('print a completion script, to be sourced by the shell')
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .action((name: keyof typeof SCRIPTS) => shell.terminal.out(SCRIPTS[name](words(program))));
}

/** What may follow `rollcall` and each of its commands. */
interface Words {
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly after: ReadonlyMap<string, readonly string[]>;
}

function words(program: Command): Words {
  const after = new Map<string, readonly string[]>();
  for (const command of program.commands) {
    const own = command.options.flatMap(({ long }) => long ?? []);
    const nested = command.commands.flatMap((each) => [each.name(), ...each.options.flatMap(({ long }) => long ?? [])]);
    const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
    after.set(command.name(), [...new Set([...choices, ...own, ...nested, '--help'])]);
  }
  const commands = program.commands.map((each) => ({ name: each.name(), description: each.description() }));
  return { commands, after };
}

const SCRIPTS = { bash, zsh, fish };

function bash({ commands, after }: Words): string {
  const cases = [...after].map(([name, list]) => `    ${name}) words="${list.join(' ')}" ;;`);
  return `# rollcall completion for bash: source <(rollcall completion bash)
_rollcall() {
  local words
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words="${commands.map(({ name }) => name).join(' ')}" ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${commands.map(({ name }) => name).join(' ')}"; fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _rollcall rollcall
`;
}

function zsh({ commands, after }: Words): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const described = commands.map(({ name, description }) => `    ${quote(`${name}:${description}`)}`);
  const cases = [...after].map(([name, list]) => `    ${name}) compadd -- ${list.join(' ')} ;;`);
  return `#compdef rollcall
# rollcall completion for zsh: source <(rollcall completion zsh)
_rollcall() {
  local -a commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case "$words[2]" in
${cases.join('\n')}
  esac
}
compdef _rollcall rollcall
`;
}

function fish({ commands, after }: Words): string {
  const quote = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const lines = commands.map(
    ({ name, description }) => `complete -c rollcall -n __fish_use_subcommand -f -a ${name} -d ${quote(description)}`,
  );
  for (const [name, list] of after) {
    const seen = `-n '__fish_seen_subcommand_from ${name}'`;
    const plain = list.filter((word) => !word.startsWith('--'));
    if (plain.length > 0) lines.push(`complete -c rollcall ${seen} -a ${quote(plain.join(' '))}`);
    for (const word of list) {
      if (word.startsWith('--')) lines.push(`complete -c rollcall ${seen} -l ${word.slice(2)}`);
    }
  }
  return `# rollcall completion for fish: rollcall completion fish | source\n${lines.join('\n')}\n`;
}
