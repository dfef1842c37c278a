/** Findings of a check as text, worst first, each with what it touches and what mends it. */
import type { Finding, Severity } from '../../image/findings.ts';
import type { Style } from '../output.ts';

const ORDER: readonly Severity[] = ['error', 'warning', 'unchecked'];

/** How many there are of each kind, such as `2 errors, 1 warning, 3 unchecked`. */
export function countFindings(findings: readonly Finding[]): string {
  const counts = ORDER.map(
    (severity) => [severity, findings.filter((f) => f.severity === severity).length] as const,
  );
  return counts
    .filter(([severity, count]) => count > 0 || severity === 'error')
    .map(([severity, count]) =>
      severity === 'unchecked' ? `${count} unchecked` : `${count} ${severity}${count === 1 ? '' : 's'}`,
    )
    .join(', ');
}

export function renderFindings(findings: readonly Finding[], style: Style): string[] {
  const sorted = [...findings].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
  return sorted.flatMap((finding) => renderFinding(finding, style));
}

function renderFinding(finding: Finding, style: Style): string[] {
  const {
    severity,
    message,
    where,
    paths = [],
    pathCount = paths.length,
    deployments = [],
    remedy = [],
  } = finding;
  const label =
    severity === 'error'
      ? style.red('error')
      : severity === 'warning'
        ? style.yellow('warning')
        : style.dim('unchecked');
  const lines = [`${label}: ${where}`, `    ${message}`];
  if (paths.length > 0) {
    const more = pathCount > paths.length ? ` and ${pathCount - paths.length} more` : '';
    lines.push(`    seen as ${paths.join(', ')}${more}`);
  }
  if (deployments.length > 0) lines.push(`    in ${deployments.join('\n       ')}`);
  remedy.forEach((command, i) => {
    lines.push(`    ${i === 0 ? 'to mend:' : '        '} ${command}`);
  });
  return lines;
}
